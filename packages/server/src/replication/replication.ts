import type { Hono } from 'hono'
import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'
import type { Store } from '../store/store.ts'
import type { Throttling } from '../store/throttling.ts'
import { createCopier } from './copier.ts'
import { createEraser } from './eraser.ts'
import { createFollower } from './follower.ts'
import { runLink } from './link.ts'
import { pause } from './pause.ts'
import { createPeer, type Peer } from './peer.ts'
import type { PeerClocks } from './peer-clocks.ts'
import { createProver } from './proof.ts'
import { createPurger } from './purger.ts'
import { createReplicationRoutes } from './routes.ts'
import { createStatusBoard, type PoolReplication, type Status } from './status.ts'
import { openSupplier, type Retention } from './supplier.ts'

/** Replication of one region with its peers. */
export interface Replication {
  /** The routes that peers call. */
  readonly routes: Hono
  /** Starts to follow the peers. */
  start(): void
  stop(): Promise<void>
  status(): Promise<Status>
  poolStatus(pool: string): Promise<PoolReplication | undefined>
  /** The lag behind a peer; undefined before the first contact. */
  lagSeconds(peer: string): number | undefined
}

export interface ReplicationConfig {
  store: Store
  clock: Clock
  throttling: Throttling
  events: Events
  region: string
  /** The other regions. */
  peers: Peers
  peerClocks: PeerClocks
  acceptKey(message: unknown): Promise<string | undefined>
  /** Sends keys again to a region that may have lost them. */
  offerKeys(peer: string): Promise<void>
  retention?: Partial<Retention> | undefined
  /** How often the log is trimmed. */
  trimMilliseconds?: number | undefined
}

const DEFAULT_RETENTION: Retention = { milliseconds: 24 * 3_600_000, changes: 5_000_000 }
const TRIM_MILLISECONDS = 30_000
/** Changes that are not announced are found by polling. */
const POLL_MILLISECONDS = 1_000
const REFRESH_MILLISECONDS = 250

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
  const onFirstContact = (peer: string): void => {
    config.offerKeys(peer).catch((error: unknown) => events.failed({ operation: 'keys', error, requestId: '' }))
  }
  const supplier = await openSupplier({ store, clock, region, events, retention, onFirstContact })
  const follower = createFollower({ store, clock, region })
  const copier = createCopier({ store, clock, region })
  const eraser = createEraser({ store, clock, region })
  const purger = createPurger({ store, clock })
  const names = [...peers.all.keys()]
  const board = createStatusBoard({ store, clock, throttling, region, peers: names })
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
    copying = copies.length > 0
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
      if (step === 'ended') {
        events.noted('copy-ended', { pool: copy.pool, peer: copy.peer, rows: copy.done, swept: copy.swept })
        if (copy.swept > 0) events.noted('replica-rows-swept', { pool: copy.pool, rows: copy.swept })
      }
      if (step === 'dropped') events.noted('copy-dropped', { pool: copy.pool, peer: copy.peer })
      if (step !== 'waits') busy = true
    }
    return busy
  }
  const halted = new Set<string>()

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
      prover: peers.prover,
      events,
      peers: new Set(names),
      acceptKey: config.acceptKey,
      status: board.status,
      signal: stopping.signal,
    }),
    start: () => {
      running.push(lead(stopping.signal), refreshUntil(stopping.signal), config.peerClocks.run(stopping.signal))
    },
    stop: async () => {
      stopping.abort()
      unsubscribe()
      await Promise.all(running)
    },
    status: board.status,
    poolStatus: board.poolStatus,
    lagSeconds: board.lagSeconds,
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
