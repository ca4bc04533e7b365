import type { Hono } from 'hono'
import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'
import { ORPHANED } from '../store/copies.ts'
import type { Store } from '../store/store.ts'
import type { Throttling } from '../store/throttling.ts'
import type { ClockSkew } from './clock-skew.ts'
import { createCopier } from './copier.ts'
import { createEraser } from './eraser.ts'
import { createFollower } from './follower.ts'
import { createKeyWatch } from './key-watch.ts'
import { runLink } from './link.ts'
import { createOrphans, type Orphans } from './orphans.ts'
import { pause } from './pause.ts'
import { createPeer, type Peer } from './peer.ts'
import type { PeerClocks } from './peer-clocks.ts'
import { createProver } from './proof.ts'
import { createPurger } from './purger.ts'
import { createReplicationRoutes, type RoutesContext } from './routes.ts'
import { createStatusBoard, type StatusBoard } from './status.ts'
import { openSupplier, type Retention } from './supplier.ts'

/** Replication of one region with its peers. */
export interface Replication extends Omit<StatusBoard, 'report' | 'refresh'> {
  /** The routes that peers call. */
  readonly routes: Hono
  /** Starts to follow the peers. */
  start(): void
  stop(): Promise<void>
  /** How many replicas of this region cannot be opened, because their key is missing, disabled or deleted here. */
  closedReplicas(): number
  /** The peers whose clocks differ from that of this process by more than is tolerated. */
  skewedClocks(): ClockSkew[]
  readonly orphans: Orphans
}

export interface ReplicationConfig {
  store: Store
  clock: Clock
  regionClock: Pick<Clock, 'now'>
  throttling: Throttling
  events: Events
  region: string
  /** The other regions. */
  peers: Peers
  peerClocks: PeerClocks
  acceptKey(message: unknown): Promise<string | undefined>
  readBody: RoutesContext['readBody']
  /** Offers a region that has connected the keys that it no longer holds; never throws. */
  offerKeys(peer: string, greeting: { behind: boolean }): Promise<void>
  /** One page of the ids of a peer's keys that this region holds. */
  heldKeys(peer: string, after: string | undefined): Promise<object | undefined>
  /** Whether the data key of a pool can be unwrapped here; undefined if there is none yet. */
  opensPool(pool: string): Promise<boolean | undefined>
  retention?: Partial<Retention> | undefined
  /** How often the log is trimmed. */
  trimMilliseconds?: number | undefined
}

const DEFAULT_RETENTION: Retention = { milliseconds: 24 * 3_600_000, changes: 5_000_000 }
const TRIM_MILLISECONDS = 30_000
/** Changes that are not announced are found by polling. */
const POLL_MILLISECONDS = 1_000
const REFRESH_MILLISECONDS = 250
const WATCH_MILLISECONDS = 10_000

/** The clients of the other regions, and the prover that both ends of the wire use. */
export interface Peers {
  readonly all: ReadonlyMap<string, Peer>
  readonly prover: ReturnType<typeof createProver>
}

export function createPeers({
  secrets,
  region,
  bases,
  clock,
  throttling,
  signal,
  connect,
}: {
  /** The new cluster secret and, while it is replaced, the old one. */
  secrets: readonly string[]
  region: string
  /** Region -> base URL of its replication paths. */
  bases: Readonly<Record<string, string>>
  clock: Pick<Clock, 'now' | 'monotonic' | 'randomBytes'>
  throttling: Pick<Throttling, 'once'>
  /** Fires when this region stops. */
  signal?: AbortSignal
  connect?: typeof fetch
}): Peers {
  const prover = createProver({ secrets, region, clock, throttling })
  const all = new Map(
    Object.entries(bases).map(([name, base]) => [
      name,
      createPeer({ region: name, base, prover, clock, signal, connect }),
    ]),
  )
  return { all, prover }
}

export async function openReplication(config: ReplicationConfig): Promise<Replication> {
  const { store, clock, throttling, events, region, peers, trimMilliseconds = TRIM_MILLISECONDS } = config
  const retention = { ...DEFAULT_RETENTION, ...config.retention }
  const onGreeted = (peer: string, greeting: { behind: boolean }): void => {
    void config.offerKeys(peer, greeting)
  }
  const supplier = await openSupplier({ store, clock, region, events, retention, onGreeted })
  const follower = createFollower({ store, clock, region })
  const copier = createCopier({ store, clock, region, opensPool: config.opensPool })
  const eraser = createEraser({ store, clock, region })
  const purger = createPurger({ store, clock })
  const names = [...peers.all.keys()]
  const board = createStatusBoard({ store, clock, throttling, region, peers: names })
  const orphans = createOrphans({ store, clock, region })
  const keyWatch = createKeyWatch({ store, region, events, opensPool: config.opensPool })
  const stopping = new AbortController()
  const running: Promise<void>[] = []

  const wakeSignal = createWakeSignal()
  /** Whether a `replica` row has changed: these rows determine which pools must be erased or copied, so they are listed again. */
  let stale = true
  /** Whether a copy may be in progress: then the work continues whenever a cursor has moved. */
  let copying = true
  let toErase: string[] = []
  let toCopy: string[] = []
  const unsubscribe = store.onChange((touched) => {
    if (touched && !touched.some(({ kind }) => kind === 'replica')) return
    stale = true
    wakeSignal.raise()
  })

  /** Erases and copies what can be done now. Returns whether anything was done. */
  const copyAndErase = async (signal: AbortSignal): Promise<boolean> => {
    let busy = false
    if (stale) {
      stale = false
      toErase = await eraser.listPoolsToErase()
      toCopy = await copier.listPoolsToCopy()
    }
    for (const pool of toErase.splice(0)) {
      while (!signal.aborted && (await eraser.step(pool))) busy = true
      events.noted('replica-removed', { pool })
    }
    for (const pool of toCopy.splice(0)) {
      let begun = false
      for (const [name, peer] of peers.all) {
        begun = await copier.begin(pool, name, peer).catch(() => false)
        if (!begun) continue
        events.noted('copy-begun', { pool, peer: name })
        busy = true
        break
      }
      // The primary is unreachable, or has not received the `replica` row yet.
      if (!begun) stale = true
    }
    // One page of each copy in turn, so that a large pool does not delay small ones.
    const copies = await copier.listCopies()
    copying = copies.some(({ stage }) => stage !== ORPHANED)
    for (const copy of copies) {
      const peer = peers.all.get(copy.peer)
      if (!peer || signal.aborted) continue
      const step = await copier.step(copy, peer).catch((error: unknown) => error as Error)
      if (step instanceof Error) {
        if (!halted.has(copy.generation))
          events.noted('copy-halted', { pool: copy.pool, peer: copy.peer, why: step.message })
        halted.add(copy.generation)
        continue
      }
      halted.delete(copy.generation)
      if (step === 'locked' && !locked.has(copy.generation)) {
        locked.add(copy.generation)
        await keyWatch.check()
      }
      if (step === 'ended') {
        if (locked.delete(copy.generation)) await keyWatch.check()
        events.noted('copy-ended', { pool: copy.pool, peer: copy.peer, rows: copy.done, swept: copy.swept })
        if (copy.swept > 0) events.noted('replica-rows-swept', { pool: copy.pool, rows: copy.swept })
      }
      if (step === 'orphaned') events.noted('pool-orphaned', { pool: copy.pool, primary: copy.peer })
      if (step === 'dropped') events.noted('copy-dropped', { pool: copy.pool, peer: copy.peer })
      if (step !== 'waits' && step !== 'locked') busy = true
    }
    return busy
  }
  const halted = new Set<string>()
  /** Copies that wait for the key of their pool. */
  const locked = new Set<string>()

  const copyAndEraseUntil = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      wakeSignal.reset()
      const busy = await copyAndErase(signal).catch((error: unknown) => {
        if (!signal.aborted) events.failed({ operation: 'replication', error, requestId: '' })
        return false
      })
      if (!busy) await wakeSignal.wait(clock, POLL_MILLISECONDS, signal)
    }
  }

  const trimAndPurgeUntil = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await pause(clock, trimMilliseconds, { signal })
      if (signal.aborted) return
      await supplier.trim().catch((error: unknown) => events.failed({ operation: 'trim', error, requestId: '' }))
      await purger.purge().catch((error: unknown) => events.failed({ operation: 'forget', error, requestId: '' }))
    }
  }

  const watchReplicasUntil = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      try {
        await keyWatch.check()
        events.orphanedPools((await orphans.list()).length)
      } catch (error) {
        if (!signal.aborted) events.failed({ operation: 'watch of replicas', error, requestId: '' })
      }
      await pause(clock, WATCH_MILLISECONDS, { signal })
    }
  }

  const refreshUntil = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await board.refresh().catch(() => {})
      await pause(clock, REFRESH_MILLISECONDS, { signal })
    }
  }

  const onConnected = (): void => {
    copying = true
    wakeSignal.raise()
  }
  const onCursorMoved = (): void => {
    if (copying) wakeSignal.raise()
  }
  const isCursorAwaited = async (): Promise<boolean> =>
    copying && (await copier.listCopies()).some(({ target }) => target !== undefined)

  const lead = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const lease = await store.engine.lead(signal).catch(() => undefined)
      if (!lease) {
        await pause(clock, POLL_MILLISECONDS, { signal })
        continue
      }
      const ended = AbortSignal.any([signal, lease.lost])
      await Promise.all([
        ...[...peers.all.values()].map((peer) =>
          runLink({ peer, follower, board, events, clock, onConnected, onCursorMoved, isCursorAwaited }, ended),
        ),
        copyAndEraseUntil(ended),
        trimAndPurgeUntil(ended),
      ])
      await lease.release()
    }
  }

  return {
    routes: createReplicationRoutes({
      supplier,
      store,
      clock,
      regionClock: config.regionClock,
      prover: peers.prover,
      events,
      peers: new Set(names),
      acceptKey: config.acceptKey,
      readBody: config.readBody,
      heldKeys: config.heldKeys,
      status: board.status,
      signal: stopping.signal,
    }),
    start: () => {
      const { signal } = stopping
      running.push(lead(signal), refreshUntil(signal), watchReplicasUntil(signal), config.peerClocks.run(signal))
    },
    stop: async () => {
      stopping.abort()
      unsubscribe()
      await Promise.all(running)
    },
    status: board.status,
    poolStatus: board.poolStatus,
    lagSeconds: board.lagSeconds,
    links: board.links,
    backlogs: board.backlogs,
    closedReplicas: () => keyWatch.closed,
    skewedClocks: config.peerClocks.skewed,
    orphans,
  }
}

/** Lets one loop wait until another part of the process raises the signal. */
function createWakeSignal() {
  let raised = Promise.withResolvers<void>()
  return {
    raise: (): void => raised.resolve(),
    reset: (): void => {
      raised = Promise.withResolvers<void>()
    },
    wait: (clock: Pick<Clock, 'wait'>, milliseconds: number, signal: AbortSignal): Promise<void> =>
      pause(clock, milliseconds, { signal, until: raised.promise }),
  }
}
