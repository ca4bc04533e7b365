import { mkdirSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import { createAdmission } from './admission/admission.ts'
import { createOverload } from './admission/overload.ts'
import { createCalls } from './aws/calls.ts'
import { apiFallback, createApiRoutes } from './aws/routes.ts'
import { type Clock, systemClock } from './clock.ts'
import { createCognitoFace } from './cognito/face.ts'
import type { RegionConfig } from './config.ts'
import { createConsoleRoutes } from './console/routes.ts'
import type { Context } from './context.ts'
import { createPools } from './directory/pool.ts'
import { createEvents, type Events } from './events/events.ts'
import { limitConnections, maximumConnections } from './http/connections.ts'
import { drainable } from './http/drain.ts'
import { createListener } from './http/listener.ts'
import { createRouter } from './http/router.ts'
import { createNodeServer } from './http/server.ts'
import { createLockout } from './identity/credentials/lockout.ts'
import { keepSweepingPools } from './identity/pools/deletion.ts'
import { createOpenUsers } from './identity/sessions/token-holder.ts'
import { type AwsKms, openAwsKms } from './keys/aws-kms.ts'
import { type KeyExchange, KeyExchangeError } from './keys/key-exchange.ts'
import { createLocalKeyRing, type LocalKeyRing } from './keys/local-key-ring.ts'
import { createPoolKeys } from './keys/pool-keys.ts'
import type { KeyProvider } from './keys/provider.ts'
import { createKmsFace } from './kms/face.ts'
import { inboxMessenger, noMessenger } from './messages/messenger.ts'
import { createDiscovery } from './oauth/discovery.ts'
import { createOperatorFace } from './operator/face.ts'
import { createPeers, createReplication, type Peers } from './replication/replication.ts'
import { createBrakes } from './store/brakes.ts'
import { openStore, type Store } from './store/store.ts'
import { createVerifiedTokens } from './tokens/access.ts'
import { createJwtSigner } from './tokens/jwt.ts'
import { createSigningKeys } from './tokens/signing-keys.ts'

/** One region, composed and ready to listen. */
export interface Region {
  readonly context: Context
  /** Answers one request, without a port. */
  fetch(request: Request): Response | Promise<Response>
  /** Listens; resolves with the address. */
  start(): Promise<{ endpoint: string; port: number }>
  /** Ends what is open and closes the store. */
  stop(): Promise<void>
}

const KEY_SWEEP_MILLISECONDS = 30_000
/** Drain deadline; keep it below the supervisor's kill timeout. */
const DRAIN_MILLISECONDS = 5_000

/** The composition root: from a configuration to a region. */
export async function createRegion(
  config: RegionConfig,
  { clock = systemClock }: { clock?: Clock } = {},
): Promise<Region> {
  const events = createEvents({ region: config.region, level: config.log.level })
  if (config.store.engine === 'sqlite') mkdirSync(dirname(config.store.file), { recursive: true, mode: 0o700 })
  const store = await openStore(config.store, { clock, region: config.region })
  try {
    return await composeRegion(config, { clock, events, store })
  } catch (error) {
    await store.close()
    throw error
  }
}

async function composeRegion(
  config: RegionConfig,
  { clock, events, store }: { clock: Clock; events: Events; store: Store },
): Promise<Region> {
  const { region, accountId, limits } = config
  const brakes = createBrakes({ engine: store.engine, clock })

  const stopping = new AbortController()
  const peers = createPeers({
    secret: config.cluster.secret,
    region,
    bases: mapValues(config.peers, (peer) => peer.replication ?? peer.endpoint),
    clock,
    brakes,
    signal: stopping.signal,
  })
  const exchange = offerThrough(peers)
  const { keyProvider, serviceKeyArn, keyRing, awsKms } = await openKeys(config, { store, clock, events, exchange })
  const keys = createPoolKeys({ store, provider: keyProvider, clock })

  const scheme = config.tls ? 'https' : 'http'
  const endpoint = config.endpoint ?? `${scheme}://${config.listen.host}:${config.listen.port}`
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
    keys,
    signingKeys: createSigningKeys({ store }),
    signer: createJwtSigner(),
    verifiedTokens: createVerifiedTokens(),
    openUsers: createOpenUsers(),
    lockout: createLockout({ brakes, clock }),
    keyProvider,
    serviceKeyArn,
    brakes,
    messenger: config.messages.kind === 'inbox' ? inboxMessenger(config.messages) : noMessenger,
    events,
  }

  const replication = createReplication({
    store,
    clock,
    brakes,
    events,
    region,
    peers,
    retention: {
      milliseconds: config.replication.retentionHours * 3_600_000,
      changes: config.replication.retentionChanges,
    },
    trimMilliseconds: config.replication.trimSeconds * 1_000,
    acceptKey: (message) => acceptKey(keyRing, message),
    offerKeys: async (peer) => keyRing?.offerAgain(peer),
  })

  const overload = createOverload({ clock, events })
  const admission = createAdmission({ limits, overload })
  const calls = createCalls({
    faces: [
      createCognitoFace(context, admission),
      createKmsFace({ keyRing, clock, region, accountId }),
      createOperatorFace({ context, replication }),
    ],
    signatures: {
      credentials: new Map(config.credentials.map((pair) => [pair.accessKeyId, pair.secretAccessKey])),
      region,
      anyRegion: config.anyRegionInSignature,
    },
    admission,
    lagSeconds: replication.lagSeconds,
    clock,
    events,
  })
  const router = createRouter({
    mounted: [
      createConsoleRoutes(context, overload),
      createApiRoutes(calls),
      createDiscovery(context),
      replication.routes,
    ],
    fallback: apiFallback(calls),
  })
  const server = createNodeServer({ tls: config.tls, limits }, createListener(router, calls))

  const storeConnections = config.store.engine === 'postgres' ? (config.store.connections ?? 16) : 8
  const maximum = limits.connections ?? maximumConnections({ storeConnections })
  limitConnections(server, { maximum, overload })
  const close = drainable(server)
  let stopped: Promise<void> | undefined
  let sweeping: Promise<unknown> | undefined

  return {
    context,
    fetch: (request) => router.fetch(request),
    start: async () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      server.once('error', reject)
      server.listen(config.listen.port, config.listen.host, resolve)
      await promise
      awsKms?.start()
      await replication.start()
      const { signal } = stopping
      sweeping = Promise.all([
        keyRing && sweepKeys(keyRing, { clock, events, signal }),
        keepSweepingPools(context, signal),
      ])
      events.noted('listening', { endpoint })
      return { endpoint, port: (server.address() as AddressInfo).port }
    },
    stop: async () => {
      stopped ??= (async () => {
        stopping.abort()
        // Both waits share one deadline.
        const { promise: deadline, resolve } = Promise.withResolvers<void>()
        const timer = setTimeout(resolve, DRAIN_MILLISECONDS)
        await Promise.all([close(deadline), replication.stop(), sweeping])
        // The call of a disconnected client may still be running.
        await Promise.race([admission.idle(), deadline])
        clearTimeout(timer)
        await awsKms?.stop()
        await store.close()
      })()
      await stopped
    },
  }
}

interface OpenKeys {
  keyProvider: KeyProvider
  serviceKeyArn: string
  keyRing?: LocalKeyRing
  awsKms?: AwsKms
}

async function openKeys(
  { keys, region, accountId, cluster }: RegionConfig,
  { store, clock, events, exchange }: Pick<Context, 'store' | 'clock' | 'events'> & { exchange: KeyExchange },
): Promise<OpenKeys> {
  if (keys.provider === 'aws-kms') {
    const { endpoint, serviceKeyArn, unwrappedForMinutes } = keys
    const awsKms = await openAwsKms({
      endpoint,
      serviceKeyArn,
      unwrappedForMinutes,
      region: keys.region ?? region,
      clock,
      events,
    })
    return { keyProvider: awsKms, serviceKeyArn, awsKms }
  }
  const masterKey = keys.masterKey ?? readFileSync(keys.masterKeyFile as string, 'utf8').trim()
  const keyRing = createLocalKeyRing({
    store,
    clock,
    region,
    accountId,
    masterKey: Buffer.from(masterKey, 'base64'),
    exchange,
    clusterSecret: cluster.secret,
  })
  return { keyProvider: keyRing, serviceKeyArn: await keyRing.ensureServiceKey(), keyRing }
}

/** Key rings speak to each other over the replication link. */
function offerThrough(peers: Peers): KeyExchange {
  return {
    offer: async (region, message) => {
      const peer = peers.all.get(region)
      if (!peer) throw new KeyExchangeError('unknown-region', `${region} is not a peer`)
      const answer = await peer.offerKey(message).catch((cause: unknown) => {
        throw new KeyExchangeError('unreachable', `${region} cannot be reached`, { cause })
      })
      if (answer) throw new KeyExchangeError('refused', answer.refused)
    },
  }
}

/** Answers why the message is not taken. */
async function acceptKey(keyRing: LocalKeyRing | undefined, message: unknown): Promise<string | undefined> {
  if (!keyRing) return 'this region has no key ring of its own'
  try {
    await keyRing.accept(message)
    return undefined
  } catch (error) {
    if (error instanceof KeyExchangeError) return error.message
    throw error
  }
}

async function sweepKeys(
  keyRing: LocalKeyRing,
  { clock, events, signal }: { clock: Clock; events: Events; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    await keyRing
      .sweep()
      .catch((error: unknown) => events.failed({ operation: 'key-sweep', error, requestId: clock.uuid() }))
    await clock.wait(KEY_SWEEP_MILLISECONDS, signal).catch(() => {})
  }
}

const mapValues = <T, U>(record: Record<string, T>, map: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
