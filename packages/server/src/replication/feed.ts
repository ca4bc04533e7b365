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
 * the log can no longer be read from the peer's position, or the connection to the database was lost: the database may be
 * another one now, and only a greeting compares everything that the peer knows of the log. The peer reconnects, and the next
 * greeting gives the reason. Backpressure applies: the log is read only as fast as the stream is consumed.
 */
export async function* readFeed(
  { supplier, store, clock }: { supplier: Supplier; store: Pick<Store, 'onChange' | 'onInterrupted'>; clock: Clock },
  { peer, from, known }: { peer: string; from: ResumePoint | undefined; known: KnownKinds },
  signal: AbortSignal,
): AsyncGenerator<FeedMessage> {
  let changed = Promise.withResolvers<void>()
  let interrupted = false
  const unsubscribe = [
    store.onChange(() => changed.resolve()),
    store.onInterrupted(() => {
      interrupted = true
      changed.resolve()
    }),
  ]
  try {
    const hello = await supplier.hello(peer, from)
    yield hello
    const { log } = hello
    let { position, mark } = hello
    let lastSent = Number.NEGATIVE_INFINITY
    let asOfPending = false
    while (!signal.aborted && !interrupted) {
      changed = Promise.withResolvers<void>()
      const reading = await supplier.read(peer, { log, position, mark }, known)
      if (!reading || interrupted) return
      const { batches, drained, held, now } = reading
      const asOf = drained ? reading.asOf : null
      const heartbeatDue = clock.monotonic() - lastSent >= HEARTBEAT_MILLISECONDS
      if (batches.length > 0 || heartbeatDue || (drained && asOfPending)) {
        yield { type: 'advance', now, asOf, batches }
        lastSent = clock.monotonic()
        asOfPending = !drained
      }
      ;({ position, mark } = reading)
      if (!drained) continue
      await pause(clock, held ? HELD_MILLISECONDS : POLL_MILLISECONDS, { signal, until: changed.promise })
    }
  } finally {
    for (const stop of unsubscribe) stop()
  }
}
