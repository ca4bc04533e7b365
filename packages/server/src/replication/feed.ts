import type { Clock } from '../clock.ts'
import type { Store } from '../store/store.ts'
import type { KnownKinds } from './known-kinds.ts'
import type { FeedMessage, ResumePoint } from './messages.ts'
import { pause } from './pause.ts'
import type { Supplier } from './supplier.ts'

export const HEARTBEAT_MILLISECONDS = 1_000
/** Changes by another process of the region are not always announced, so the log is polled. */
const POLL_MILLISECONDS = 200
/** Poll interval while committed changes wait for an older transaction to end: PostgreSQL does not announce that end. */
const HELD_MILLISECONDS = 3

/**
 * The stream for a peer: a greeting, then transactions as they are committed, and heartbeats while there are none. It ends when
 * the log can no longer be read from the peer's position; the peer reconnects, and the next greeting gives the reason. Backpressure
 * applies: the log is read only as fast as the stream is consumed.
 */
export async function* readFeed(
  { supplier, store, clock }: { supplier: Supplier; store: Pick<Store, 'onChange'>; clock: Clock },
  { peer, from, known }: { peer: string; from: ResumePoint | undefined; known: KnownKinds },
  signal: AbortSignal,
): AsyncGenerator<FeedMessage> {
  const hello = await supplier.hello(peer, from)
  yield hello
  let changed = Promise.withResolvers<void>()
  const unsubscribe = store.onChange(() => changed.resolve())
  try {
    const { log } = hello
    let { position } = hello
    let lastSent = Number.NEGATIVE_INFINITY
    let asOfPending = false
    while (!signal.aborted) {
      changed = Promise.withResolvers<void>()
      const reading = await supplier.read(peer, { log, position }, known)
      if (!reading) return
      const { batches, drained, held, now } = reading
      const asOf = drained ? reading.asOf : null
      const heartbeatDue = clock.monotonic() - lastSent >= HEARTBEAT_MILLISECONDS
      if (batches.length > 0 || heartbeatDue || (drained && asOfPending)) {
        yield { type: 'advance', now, asOf, batches }
        lastSent = clock.monotonic()
        asOfPending = !drained
      }
      position = reading.position
      if (!drained) continue
      await pause(clock, held ? HELD_MILLISECONDS : POLL_MILLISECONDS, { signal, until: changed.promise })
    }
  } finally {
    unsubscribe()
  }
}
