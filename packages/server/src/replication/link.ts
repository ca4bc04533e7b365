import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'
import { CursorMovedError, type Follower } from './follower.ts'
import { KindsConflictError } from './known-kinds.ts'
import {
  type Advance,
  type FeedBatch,
  type FeedMessage,
  FORMAT,
  type Inventory,
  type LogPosition,
  type Place,
  placeAfter,
  type RowAddress,
} from './messages.ts'
import { pause } from './pause.ts'
import { type Peer, PeerError, type PeerProblem } from './peer.ts'
import type { StatusBoard } from './status.ts'

/** The supplier sends a heartbeat each second; after this long without a byte the connection is given up. */
const SILENCE_MILLISECONDS = 3_000
const FIRST_BACKOFF_MILLISECONDS = 50
/** Small, so that replication resumes soon after a peer returns. */
const LAST_BACKOFF_MILLISECONDS = 1_000
/** How often a position that moved without a change is saved, and how often a position is acknowledged to the peer. */
const SETTLE_MILLISECONDS = 1_000

export interface LinkContext {
  peer: Peer
  follower: Follower
  board: Pick<StatusBoard, 'report'>
  events: Pick<Events, 'noted'>
  clock: Clock
  /** Called when the peer has greeted and the cursor is set. */
  onConnected(): void
  /** Called after the cursor has moved. */
  onCursorMoved(): void
  /** Whether a copy waits for the cursor to reach its target. */
  isCursorAwaited(): Promise<boolean>
}

/** Follows one peer until the signal fires: connects, applies, acknowledges, and reconnects after a failure. */
export async function runLink(context: LinkContext, signal: AbortSignal): Promise<void> {
  const { peer, board, events, clock } = context
  const state: LinkState = { connected: false, problem: undefined, heardAt: 0, ahead: 0, asOf: 0 }
  let failures = 0
  while (!signal.aborted) {
    try {
      await follow(context, state, signal, () => {
        failures = 0
      })
    } catch (error) {
      if (signal.aborted) break
      const problem = error instanceof PeerError ? error.problem : 'failing'
      // Logged once per state: an unreachable peer is retried every second.
      if (state.connected || state.problem !== problem) {
        events.noted('peer-lost', { peer: peer.region, problem, why: (error as Error).message })
      }
      state.problem = problem
    }
    state.connected = false
    await board.report(peer.region, { ...state }).catch(() => {})
    failures += 1
    const ceiling = Math.min(LAST_BACKOFF_MILLISECONDS, FIRST_BACKOFF_MILLISECONDS * 2 ** Math.min(failures, 10))
    const jitter = clock.randomBytes(2).readUInt16BE() / 65_536
    await pause(clock, ceiling * (0.5 + jitter / 2), { signal })
  }
}

interface LinkState {
  connected: boolean
  problem: PeerProblem | undefined
  heardAt: number
  ahead: number
  asOf: number
}

async function follow(
  { peer, follower, board, events, clock, onConnected, onCursorMoved, isCursorAwaited }: LinkContext,
  state: LinkState,
  signal: AbortSignal,
  onGreeted: () => void,
): Promise<void> {
  const lost = new AbortController()
  const both = AbortSignal.any([signal, lost.signal])
  const resumePoint = await follower.findResumePoint(peer.region)
  const stream = peer.feed(resumePoint, both)[Symbol.asyncIterator]()
  /** Acknowledgements and status reports in flight: applying does not wait for them. */
  const inFlight = new Set<Promise<void>>()
  let failure: { error: unknown } | undefined
  const runInBackground = (work: Promise<void>): void => {
    const tracked = work
      .catch((error: unknown) => {
        failure = { error }
      })
      .finally(() => inFlight.delete(tracked))
    inFlight.add(tracked)
  }
  let acknowledging = false
  const acknowledge = async (position: Pick<LogPosition, 'log' | 'position'>): Promise<void> => {
    acknowledging = true
    try {
      await follower.settle()
      await peer.acknowledge(position)
    } finally {
      acknowledging = false
    }
  }
  try {
    let first = await withinSilenceLimit(clock, stream.next(), both)
    while (!first.done && first.value.length === 0) first = await withinSilenceLimit(clock, stream.next(), both)
    const [hello, ...rest] = first.done ? [] : first.value
    if (hello?.type !== 'hello') throw new PeerError('failing', `${peer.region} did not send a greeting`)
    const { format, log, standing, now } = hello
    if (format !== FORMAT)
      throw new PeerError('format', `${peer.region} uses wire format ${format}, this region ${FORMAT}`)
    let kinds: string
    try {
      if (standing === 'continues') {
        const { followed, gained } = await follower.resume(peer.region, hello)
        if (gained.length > 0) events.noted('kinds-gained', { peer: peer.region, kinds: gained })
        kinds = followed
      } else {
        if (resumePoint) events.noted('behind', { peer: peer.region, reason: standing })
        kinds = await follower.restart(peer.region, hello, await readInventory(peer))
      }
    } catch (error) {
      if (error instanceof KindsConflictError) throw new PeerError('format', error.message, { cause: error })
      throw error
    }
    if (!state.connected) events.noted('peer-found', { peer: peer.region })
    Object.assign(state, { connected: true, problem: undefined, heardAt: clock.now(), ahead: now - clock.now() })
    await board.report(peer.region, { ...state })
    onGreeted()
    onConnected()

    let place: Place = { position: hello.position, mark: hello.mark, part: hello.part }
    let acknowledged = Number.NaN
    // The first message is acknowledged at once: until then the peer does not know this follower and may trim its log.
    let settledAt = Number.NEGATIVE_INFINITY
    let pending: FeedBatch[] = []
    let messages = rest
    for (;;) {
      // All messages received so far go into one transaction.
      const batches = [...pending, ...messages.flatMap((message) => advanceOf(message).batches)]
      const last = messages.at(-1)
      if (!last) {
        // A part of a message: the peer is alive, but nothing new can be applied.
        state.heardAt = clock.now()
        runInBackground(board.report(peer.region, { ...state }))
      } else {
        const { now, asOf } = advanceOf(last)
        state.heardAt = clock.now()
        state.ahead = now - state.heardAt
        const due = clock.monotonic() - settledAt >= SETTLE_MILLISECONDS
        const changed = batches.some(({ changes }) => changes.length > 0)
        if (changed || (batches.length > 0 && (due || (await isCursorAwaited())))) {
          await follower.apply(peer.region, { log, ...place, kinds }, batches, asOf)
          place = placeAfter(place, batches)
          pending = []
          onCursorMoved()
        } else pending = batches.slice(-1)
        state.asOf = asOf ?? batches.at(-1)?.at ?? state.asOf
        if (due) settledAt = clock.monotonic()
        const { position } = place
        if (due && position !== acknowledged && !acknowledging) {
          runInBackground(acknowledge({ log, position }))
          acknowledged = position
        }
        runInBackground(board.report(peer.region, { ...state }))
        if (failure) throw failure.error
      }
      const next = await withinSilenceLimit(clock, stream.next(), both)
      if (next.done) return
      messages = next.value
    }
  } catch (error) {
    if (error instanceof CursorMovedError) return
    throw error
  } finally {
    lost.abort()
    await stream.return?.().catch(() => {})
    await Promise.all(inFlight)
  }
}

function advanceOf(message: FeedMessage): Advance {
  if (message.type !== 'advance') throw new PeerError('failing', 'a second greeting')
  return message
}

/** Awaits the next bytes. Throws PeerError `silent` after SILENCE_MILLISECONDS without any. */
async function withinSilenceLimit<T>(clock: Pick<Clock, 'wait'>, message: Promise<T>, signal: AbortSignal): Promise<T> {
  let received = false
  const arrival = message.finally(() => {
    received = true
  })
  await pause(clock, SILENCE_MILLISECONDS, { signal, until: arrival })
  if (received) return arrival
  arrival.catch(() => {})
  if (signal.aborted) throw new PeerError('unreachable', 'the link was closed')
  throw new PeerError('silent', `nothing received for ${SILENCE_MILLISECONDS} ms`)
}

async function readInventory(peer: Peer): Promise<Inventory['rows']> {
  const rows: Inventory['rows'] = []
  let after: RowAddress | undefined
  for (;;) {
    const page = await peer.inventory(after)
    rows.push(...page.rows)
    if (!page.next) return rows
    after = page.next
  }
}
