import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'
import type { Engine } from '../store/database.ts'
import type { Store } from '../store/store.ts'
import type { KnownKinds } from './known-kinds.ts'
import type { FeedMessage, Place, ResumePoint } from './messages.ts'
import { pause } from './pause.ts'
import type { Supplier } from './supplier.ts'

export const HEARTBEAT_MILLISECONDS = 1_000
/** Changes by another process of the region are not always announced, so the log is polled. */
const POLL_MILLISECONDS = 200
/** Shortest poll interval while committed changes wait for an older transaction to end: PostgreSQL does not announce that end. */
const HELD_MILLISECONDS = 3
/** The poll interval is this fraction of the time that the changes have waited: a long wait hardly becomes longer. */
const HELD_FRACTION = 1 / 8
/** Usually the older transaction is of this region and ends soon, with an announcement. After this time, only the timer wakes. */
const ANNOUNCED_MILLISECONDS = 1_000
const HELD_EVENT_MILLISECONDS = 5_000

export interface FeedContext {
  supplier: Supplier
  store: Pick<Store, 'onChange' | 'onInterrupted'> & { engine: Pick<Engine, 'findHolder'> }
  clock: Clock
  events: Pick<Events, 'noted' | 'feedHeld' | 'failed'>
}

/**
 * The stream for a peer: a greeting, then transactions as they are committed, and heartbeats while there are none. It ends when
 * the log can no longer be read from the peer's place, a reading fails, or the connection to the database was lost: the database may be
 * another one now, and only a greeting compares everything that the peer knows of the log. The peer reconnects, and the next
 * greeting gives the reason. Backpressure applies: the log is read only as fast as the stream is consumed. `parts`: whether the peer
 * accepts transactions in parts.
 */
export async function* readFeed(
  context: FeedContext,
  { peer, from, known, parts }: { peer: string; from: ResumePoint | undefined; known: KnownKinds; parts: boolean },
  signal: AbortSignal,
): AsyncGenerator<FeedMessage> {
  const { supplier, store, clock, events } = context
  let changed = Promise.withResolvers<void>()
  let interrupted = false
  const unsubscribe = [
    store.onChange(() => changed.resolve()),
    store.onInterrupted(() => {
      interrupted = true
      changed.resolve()
    }),
  ]
  const hold = watchHold(context, peer)
  try {
    const hello = await supplier.hello(peer, from)
    yield hello
    const { log } = hello
    let { position, mark, part }: Place = hello
    let lastSent = Number.NEGATIVE_INFINITY
    let asOfPending = false
    while (!signal.aborted && !interrupted) {
      changed = Promise.withResolvers<void>()
      const reading = await supplier.read(peer, { log, position, mark, part }, known, { parts })
      if (!reading || interrupted) return
      const { batches, drained, held, now } = reading
      const heldMilliseconds = hold.report(drained && held)
      const asOf = drained ? reading.asOf : null
      const heartbeatDue = clock.monotonic() - lastSent >= HEARTBEAT_MILLISECONDS
      if (batches.length > 0 || heartbeatDue || (drained && asOfPending)) {
        yield { type: 'advance', now, asOf, batches }
        lastSent = clock.monotonic()
        asOfPending = !drained
      }
      ;({ position, mark, part } = reading)
      if (!drained) continue
      const milliseconds = held
        ? Math.min(POLL_MILLISECONDS, Math.max(HELD_MILLISECONDS, heldMilliseconds * HELD_FRACTION))
        : POLL_MILLISECONDS
      const announced = heldMilliseconds < ANNOUNCED_MILLISECONDS
      await pause(clock, milliseconds, { signal, ...(announced && { until: changed.promise }) })
    }
  } catch (error) {
    // Thrown, it would reach the HTTP adapter, which prints it past the log and sends its message to the peer.
    if (!signal.aborted) events.failed({ operation: 'feed', error, requestId: '' })
  } finally {
    for (const stop of unsubscribe) stop()
    hold.report(false)
  }
}

/** Reports how long committed changes have waited for an older transaction, to operators too. */
function watchHold({ store, clock, events }: Pick<FeedContext, 'store' | 'clock' | 'events'>, peer: string) {
  let since: number | undefined
  let noted = false
  const note = async (seconds: number): Promise<void> => {
    const holder = await store.engine.findHolder().catch(() => undefined)
    events.noted('feed-held', { peer, seconds, ...holder })
  }
  return {
    /** Returns the milliseconds that the changes have waited. */
    report: (held: boolean): number => {
      if (!held && since === undefined) return 0
      const now = clock.monotonic()
      const waited = since === undefined ? 0 : now - since
      events.feedHeld({ peer, seconds: held ? waited / 1_000 : 0 })
      if (!held) {
        if (noted) events.noted('feed-released', { peer, seconds: Math.round(waited / 1_000) })
        since = undefined
        noted = false
        return 0
      }
      since ??= now
      if (waited >= HELD_EVENT_MILLISECONDS && !noted) {
        noted = true
        void note(Math.round(waited / 1_000))
      }
      return waited
    },
  }
}
