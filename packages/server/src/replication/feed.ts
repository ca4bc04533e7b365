import type { Clock } from '../clock.ts'
import type { Store } from '../store/store.ts'
import type { KnownKinds } from './known-kinds.ts'
import type { FeedMessage, ResumePoint } from './messages.ts'
import { pause } from './pause.ts'
import type { Supplier } from './supplier.ts'

export const HEARTBEAT_MILLISECONDS = 1_000
/** Changes that another process of the region made are not always announced. */
const POLL_MILLISECONDS = 200
/** Something is committed and cannot be read before an older transaction has ended: nobody will tell when. */
const HELD_MILLISECONDS = 3

/**
 * The stream that a peer reads: a greeting, then transactions as they come, and a heartbeat when there are none. Ends when
 * the log cannot be read on; the peer comes back and is greeted with what happened. It reads no faster than it is read from.
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
