import { mkdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import { createAdmission } from './admission/admission.ts'
import { createCallerLimits } from './admission/caller-limits.ts'
import { createOverload } from './admission/overload.ts'
import { createCalls } from './aws/calls.ts'
import { apiFallback, createApiRoutes } from './aws/routes.ts'
import { type Clock, systemClock } from './clock.ts'
import { createCognitoFace } from './cognito/face.ts'
import type { RegionConfig } from './config/schema.ts'
import { createBriefHealthRoute, createConsoleRoutes } from './console/routes.ts'
import type { Context } from './context.ts'
import { createPools } from './directory/pool.ts'
import { createEvents, type Events, type ResourceUse } from './events/events.ts'
import { createAddressReader, trustedProxies } from './http/address.ts'
import { readBody } from './http/body.ts'
import { createBodyBudget } from './http/body-budget.ts'
import { requireClientCertificate } from './http/client-certificates.ts'
import { limitConnections, MANAGEMENT_CONNECTIONS, maximumConnections } from './http/connections.ts'
import { drainable } from './http/drain.ts'
import { createListener, createRouteListener } from './http/listener.ts'
import { createPeerTls } from './http/peer-tls.ts'
import { createProxyProtocol } from './http/proxy-protocol.ts'
import { createRouter } from './http/router.ts'
import { createNodeServer, expiryOf, type NodeServer, reloadableTls, urlOf } from './http/server.ts'
import { createLockout } from './identity/credentials/lockout.ts'
import { runDataKeyRotation, saveSealCounts } from './identity/pools/data-key-rotation.ts'
import { runPoolSweeps } from './identity/pools/deletion.ts'
import { runNameIndex } from './identity/pools/name-index.ts'
import { runSealing } from './identity/pools/sealing.ts'
import { createOpenUsers } from './identity/sessions/token-holder.ts'
import { createDeferredWork } from './identity/users/deferred-work.ts'
import { runGroupSweeps } from './identity/users/group-removal.ts'
import { exchangeOver } from './keys/local/key-exchange.ts'
import { openKeys } from './keys/open.ts'
import { createPoolKeys } from './keys/pool-keys.ts'
import { createKmsFace } from './kms/face.ts'
import { createDestinations } from './messages/destinations.ts'
import { inboxMessenger, noMessenger } from './messages/messenger.ts'
import { createDiscovery } from './oauth/discovery.ts'
import { createOperatorFace } from './operator/face.ts'
import { createReload, type Reload } from './reload.ts'
import { openPeerClocks } from './replication/peer-clocks.ts'
import { createPeers, openReplication } from './replication/replication.ts'
import type { Ability } from './store/database.ts'
import { checkRegionName, recordRegionName } from './store/region-name.ts'
import { openStore, type Store } from './store/store.ts'
import { createThrottling } from './store/throttling.ts'
import { createVerifiedTokens } from './tokens/access.ts'
import { createJwtSigner } from './tokens/jwt.ts'
import { createPoolClock } from './tokens/pool-clock.ts'
import { createSigningKeys, type GenerateKeyPair, generateSigningKeyPair } from './tokens/signing-keys.ts'

/** One region, composed and ready to listen. */
export interface Region {
  readonly context: Context
  /** Handles one request without a port. */
  fetch(request: Request): Response | Promise<Response>
  /** Base URL of health, metrics and the page of the region. */
  readonly management: string
  /** Listens and starts background work. */
  start(): Promise<{ endpoint: string; port: number }>
  /** Reads the configuration again: certificates, credentials, secrets and the log level. */
  reload: Reload
  /** Opens the audit file again after logrotate has renamed it. Never rejects. */
  reopen(): Promise<void>
  /**
   * Drains connections and calls, ends background work, closes the store. `/health` returns 503 from the beginning, all other calls
   * are served for `noticeSeconds` (0).
   */
  stop(options?: { noticeSeconds?: number }): Promise<void>
}

/** Drain deadline; keep it below the supervisor's kill timeout. */
export const DRAIN_SECONDS = 5

/** Dependencies of a region outside its configuration; tests inject their own. */
export interface RegionSources {
  clock?: Clock | undefined
  /** Generates the RSA key pairs of new pools. */
  generateKeyPair?: GenerateKeyPair | undefined
}

/** The composition root: from a configuration to a region. */
export async function createRegion(
  config: RegionConfig,
  { clock = systemClock, generateKeyPair = generateSigningKeyPair }: RegionSources = {},
): Promise<Region> {
  const { region } = config
  const audit = config.audit && { ...config.audit, secret: [config.cluster.secret].flat()[0] as string, clock }
  const events = createEvents({ region, level: config.log.level, audit })
  try {
    if (config.store.engine === 'sqlite') mkdirSync(dirname(config.store.file), { recursive: true, mode: 0o700 })
    const store = await openStore(config.store, { clock, region, port: config.listen.port, events })
    try {
      return await composeRegion(config, { clock, generateKeyPair, events, store })
    } catch (error) {
      await store.close()
      throw error
    }
  } catch (error) {
    await events.close()
    throw error
  }
}

async function composeRegion(
  config: RegionConfig,
  {
    clock,
    generateKeyPair,
    events,
    store,
  }: { clock: Clock; generateKeyPair: GenerateKeyPair; events: Events; store: Store },
): Promise<Region> {
  const { region, accountId, limits } = config
  const throttling = createThrottling({ engine: store.engine, clock })
  const overload = createOverload({ clock, events })
  const budget = createBodyBudget({ bytes: limits.bodyBytes, overload })

  const stopping = new AbortController()
  const clusterSecrets = [config.cluster.secret].flat()
  const peerTls = createPeerTls(config.peerTls)
  const peers = createPeers({
    secrets: clusterSecrets,
    region,
    bases: mapValues(config.peers, (peer) => peer.replication ?? peer.endpoint),
    clock,
    throttling,
    signal: stopping.signal,
    connect: peerTls.connect,
  })
  const exchange = exchangeOver((name) => peers.all.get(name))
  await checkRegionName(store)
  const regionKeys = await openKeys(config.keys, { region, accountId, clusterSecrets, store, clock, events, exchange })
  await recordRegionName(store)
  const { provider: keyProvider, serviceKeyArn, keyRing } = regionKeys
  const keys = createPoolKeys({ store, provider: keyProvider, clock, events })

  /** One clock for all processes of the region. */
  const regionClock = { now: () => Math.round(store.engine.serverTime?.() ?? clock.now()) }
  const peerClocks = await openPeerClocks({ store, clock, regionClock, peers: peers.all, events })

  const endpoint = config.endpoint ?? urlOf(config.listen, config.tls && 'https')
  const context: Context = {
    region,
    accountId,
    parity: config.parity,
    endpoint,
    endpoints: { [region]: endpoint, ...mapValues(config.peers, (peer) => peer.endpoint) },
    issuerBase: config.issuerBase ?? endpoint,
    clock,
    store,
    pools: createPools({ store }),
    poolClock: createPoolClock({ clock, regionClock, region, ahead: peerClocks.ahead }),
    keys,
    signingKeys: createSigningKeys({ store, keys, clock, generateKeyPair }),
    signer: createJwtSigner(),
    verifiedTokens: createVerifiedTokens(),
    openUsers: createOpenUsers(),
    lockout: createLockout({ throttling, clock }),
    deferredWork: createDeferredWork({ clock, events }),
    keyProvider,
    serviceKeyArn,
    throttling,
    destinations: createDestinations({
      throttling,
      secret: clusterSecrets[0] as string,
      perHour: limits.messagesPerDestinationPerHour,
      noted: overload.noted,
    }),
    messenger: config.messages.kind === 'inbox' ? inboxMessenger(config.messages) : noMessenger,
    events,
  }

  const hasOlderProcesses = async (name: string, ability: Ability) =>
    (await peers.all.get(name)?.hasOlderProcesses(ability)) ?? true
  const replication = await openReplication({
    store,
    clock,
    regionClock,
    throttling,
    events,
    region,
    peers,
    peerClocks,
    retention: {
      milliseconds: config.replication.retentionHours * 3_600_000,
      changes: config.replication.retentionChanges,
    },
    trimMilliseconds: config.replication.trimSeconds * 1_000,
    acceptKey: regionKeys.accept,
    readBody: (request, limit) => readBody(request, { limit, budget }),
    offerKeys: regionKeys.offerAgain,
    heldKeys: regionKeys.held,
    opensPool: keys.opens,
  })

  const admission = createAdmission({ limits, overload })
  const callers = createCallerLimits({
    clock,
    overload,
    limits: { failedAttempts: limits.failedAttemptsPerMinute, messages: limits.messagesPerMinute },
  })
  const credentials = new Map(credentialsOf(config))
  const calls = createCalls({
    faces: [
      createCognitoFace(context, { turn: admission.turn, callers }),
      createKmsFace({ keyRing, clock, region, accountId }),
      createOperatorFace({ context: { ...context, hasOlderProcesses }, replication, keyRing }),
    ],
    signatures: {
      credentials,
      region,
      anyRegion: config.anyRegionInSignature,
    },
    admission,
    lagSeconds: replication.lagSeconds,
    clock,
    events,
  })
  const resources = (): ResourceUse[] => [
    ...admission.usage(),
    connections.usage(),
    ...[store.engine.connectionUsage()].flatMap((use) => (use ? [{ resource: 'store-connections', ...use }] : [])),
  ]
  let isStopping = false
  const sources = { overload, replication, resources, isStopping: () => isStopping }
  const consoleRoutes = createConsoleRoutes(context, sources)
  const { management } = config
  const isTrusted = trustedProxies(config.trustedProxies)
  const proxyProtocol = createProxyProtocol({ isTrusted, seconds: limits.headersSeconds })
  const addressOf = createAddressReader(isTrusted, proxyProtocol.peerOf)
  const router = createRouter({
    mounted: [
      management ? createBriefHealthRoute(context, sources) : consoleRoutes,
      createApiRoutes(calls, budget),
      createDiscovery(context),
      ...(config.tls?.clientCaFile === undefined ? [] : [requireClientCertificate('/replication/*')]),
      replication.routes,
    ],
    fallback: apiFallback(calls),
    clock,
    addressOf,
  })
  const server = createNodeServer({ tls: config.tls, limits }, createListener(router, { calls, budget, addressOf }))
  if (config.tls) events.certificateLoaded({ expiresAt: expiryOf(config.tls.certificateFile) })
  events.retention({
    changes: config.replication.retentionChanges,
    seconds: config.replication.retentionHours * 3_600,
  })
  const managementServer =
    management &&
    createNodeServer(
      { tls: undefined, limits },
      createRouteListener(createRouter({ mounted: [consoleRoutes], fallback: apiFallback(calls), clock, addressOf })),
    )

  const storeConnections = config.store.engine === 'postgres' ? (config.store.connections ?? 16) : 8
  const otherConnections = storeConnections + (management ? MANAGEMENT_CONNECTIONS : 0)
  const maximum = limits.connections ?? maximumConnections({ otherConnections })
  const connections = limitConnections(server, { maximum, overload })
  if (managementServer) limitConnections(managementServer, { maximum: MANAGEMENT_CONNECTIONS, overload })
  proxyProtocol.accept(server)
  const close = drainable(server)
  const prepareTls = reloadableTls(server, config.tls)
  const reload = createReload(config, {
    events,
    parts: [
      {
        prepare: ({ tls }) => {
          const use = prepareTls(tls)
          const expiresAt = config.tls && tls && expiryOf(tls.certificateFile)
          return () => {
            use()
            if (expiresAt !== undefined) events.certificateLoaded({ expiresAt })
          }
        },
      },
      { prepare: (next) => peerTls.prepare(next.peerTls) },
      {
        prepare: async (next) => {
          const secrets = [next.cluster.secret].flat()
          const replaceSecrets = await regionKeys.prepareSecrets(next.keys, secrets)
          return () => {
            replaceSecrets()
            peers.prover.setSecrets(secrets)
            context.destinations.setSecret(secrets[0] as string)
          }
        },
      },
      {
        prepare: (next) => () => {
          credentials.clear()
          for (const [id, secret] of credentialsOf(next)) credentials.set(id, secret)
        },
      },
    ],
  })
  const closeManagement = managementServer && drainable(managementServer)
  let stopped: Promise<void> | undefined
  let sweeping: Promise<unknown> | undefined

  return {
    context,
    management: management ? urlOf(management) : endpoint,
    fetch: (request) => router.fetch(request),
    start: async () => {
      if (managementServer && management) await listen(managementServer, management)
      await listen(server, config.listen)
      regionKeys.start()
      replication.start()
      const { signal } = stopping
      const sealing = runSealing({ ...context, hasOlderProcesses }, signal)
      const rotation = runDataKeyRotation({ ...context, hasOlderProcesses }, config.dataKeyRotation, signal)
      const sweeps = [runPoolSweeps(context, signal), runGroupSweeps(context, signal), runNameIndex(context, signal)]
      sweeping = Promise.all([...sweeps, sealing, rotation])
      events.noted('listening', { endpoint })
      return { endpoint, port: (server.address() as AddressInfo).port }
    },
    reload,
    reopen: events.reopen,
    stop: async ({ noticeSeconds = 0 } = {}) => {
      isStopping = true
      stopped ??= (async () => {
        if (noticeSeconds > 0) await clock.wait(noticeSeconds * 1_000)
        stopping.abort()
        // Both waits share one deadline.
        const { promise: deadline, resolve } = Promise.withResolvers<void>()
        const timer = setTimeout(resolve, DRAIN_SECONDS * 1_000)
        await Promise.all([close(deadline), closeManagement?.(deadline), replication.stop(), sweeping])
        // The call of a disconnected client may still be running.
        const finish = async () => {
          await admission.idle()
          await context.deferredWork.finish()
          await saveSealCounts(context, 1)
        }
        await Promise.race([finish(), deadline])
        clearTimeout(timer)
        await regionKeys.stop()
        await store.close()
        await events.close()
      })()
      await stopped
    },
  }
}

const credentialsOf = ({ credentials }: RegionConfig): [string, string][] =>
  credentials.map(({ accessKeyId, secretAccessKey }) => [accessKeyId, secretAccessKey])

/** Connections that wait to be accepted. Above it, the system drops new ones, which then try again after seconds. */
const BACKLOG = 4_096

async function listen(server: NodeServer, { host, port }: { host: string; port: number }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ port, host, backlog: BACKLOG }, resolve)
  await promise
}

const mapValues = <T, U>(record: Record<string, T>, map: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
