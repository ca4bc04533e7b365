import { mkdirSync, readFileSync } from 'node:fs'
import { createServer as createHttpServer, type Server as HttpServer, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import { createAdmission } from './admission/admission.ts'
import { createOverload } from './admission/overload.ts'
import { type Clock, systemClock } from './clock.ts'
import type { RegionConfig } from './config.ts'
import type { Context } from './context.ts'
import { createPools } from './directory/pool.ts'
import { createEvents, type Events } from './events/events.ts'
import { boundConnections, mostConnections } from './http/connections.ts'
import { createListener } from './http/listener.ts'
import { createRoutes } from './http/routes.ts'
import { keepSweepingPools } from './identity/pools/deletion.ts'
import { type AwsKms, openAwsKms } from './keys/aws-kms.ts'
import { type KeyExchange, KeyExchangeError } from './keys/key-exchange.ts'
import { createLocalKeyRing, type LocalKeyRing } from './keys/local-key-ring.ts'
import { createPoolKeys } from './keys/pool-keys.ts'
import type { KeyProvider } from './keys/provider.ts'
import { inboxMessenger, noMessenger } from './messages/messenger.ts'
import { createDiscovery } from './oauth/discovery.ts'
import { createPeers, createReplication, type Peers } from './replication/replication.ts'
import { createBrakes } from './store/brakes.ts'
import { openStore, type Store } from './store/store.ts'
import { createSigningKeys, type GenerateKeyPair, generateSigningKeyPair } from './tokens/signing-keys.ts'

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

/** How often, at least, connections are looked at for those that have taken too long. */
const CONNECTION_SWEEP_MILLISECONDS = 5_000
const KEY_SWEEP_MILLISECONDS = 30_000
/** How long a region that stops waits for the answers that are under way, and for the calls behind them: less than who stops it waits for the process. */
const DRAIN_MILLISECONDS = 5_000

/** What a region takes from outside its configuration; tests give others. */
export interface RegionSources {
  clock?: Clock | undefined
  /** Makes the RSA key pairs of new pools. */
  generateKeyPair?: GenerateKeyPair | undefined
}

/** The composition root: from a configuration to a region. */
export async function createRegion(
  config: RegionConfig,
  { clock = systemClock, generateKeyPair = generateSigningKeyPair }: RegionSources = {},
): Promise<Region> {
  const events = createEvents({ region: config.region, level: config.log.level })
  if (config.store.engine === 'sqlite') mkdirSync(dirname(config.store.file), { recursive: true, mode: 0o700 })
  const store = await openStore(config.store, { clock, region: config.region })
  try {
    return await composeRegion(config, { clock, generateKeyPair, events, store })
  } catch (error) {
    await store.close()
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
    signingKeys: createSigningKeys({ store, clock, generateKeyPair }),
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
  const routes = createRoutes(context, {
    credentials: new Map(config.credentials.map((pair) => [pair.accessKeyId, pair.secretAccessKey])),
    anyRegionInSignature: config.anyRegionInSignature,
    kms: { keyRing, clock, events, region, accountId },
    replication,
    overload,
    admission,
    mounted: [createDiscovery(context), replication.routes],
  })
  const listener = createListener(routes)
  const connections = {
    headersTimeout: limits.headersSeconds * 1_000,
    requestTimeout: limits.requestSeconds * 1_000,
    keepAliveTimeout: limits.idleSeconds * 1_000,
    connectionsCheckingInterval: Math.min(CONNECTION_SWEEP_MILLISECONDS, limits.headersSeconds * 200),
  }
  const server = config.tls
    ? createHttpsServer(
        {
          ...connections,
          handshakeTimeout: connections.headersTimeout,
          cert: readFileSync(config.tls.certificateFile),
          key: readFileSync(config.tls.keyFile),
        },
        listener,
      )
    : createHttpServer(connections, listener)

  const ofTheStore = config.store.engine === 'postgres' ? (config.store.connections ?? 16) : 8
  const most = limits.connections ?? mostConnections({ ofTheStore })
  boundConnections(server, { most, overload })
  const close = drainable(server)
  let stopped: Promise<void> | undefined
  let sweeping: Promise<unknown> | undefined

  return {
    context,
    fetch: (request) => routes.fetch(request),
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
        // One for both: who stops the region waits for all of it.
        const { promise: deadline, resolve } = Promise.withResolvers<void>()
        const timer = setTimeout(resolve, DRAIN_MILLISECONDS)
        await Promise.all([close(deadline), replication.stop(), sweeping])
        // A caller who went away has left the call behind.
        await Promise.race([admission.idle(), deadline])
        clearTimeout(timer)
        await awsKms?.stop()
        await store.close()
      })()
      await stopped
    },
  }
}

/**
 * Answers a function that closes a server: nothing new is taken, connections end with the answer that is under way, and all of
 * them once the deadline is over.
 */
function drainable(server: HttpServer | HttpsServer): (deadline: Promise<void>) => Promise<void> {
  const underWay = new Set<ServerResponse>()
  let closing = false
  let drained = Promise.withResolvers<void>()
  server.prependListener('request', (_, response: ServerResponse) => {
    if (closing) response.shouldKeepAlive = false
    underWay.add(response)
    response.on('close', () => {
      underWay.delete(response)
      if (closing && underWay.size === 0) drained.resolve()
    })
  })
  return async (deadline) => {
    closing = true
    for (const response of underWay) response.shouldKeepAlive = false
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    if (underWay.size > 0) {
      drained = Promise.withResolvers()
      await Promise.race([drained.promise, deadline])
    }
    server.closeAllConnections()
    await closed
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
