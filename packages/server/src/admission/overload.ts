import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'

/** Calls or connections that a region has recently refused because it was overloaded. */
export interface Overload {
  /** Records a refusal. The same reason is logged again only after RECENT_MILLISECONDS without a refusal. */
  noted(reason: string): void
  /** The reason of the last refusal; undefined if there was none recently. */
  recent(): string | undefined
}

const RECENT_MILLISECONDS = 10_000

export function createOverload({
  clock,
  events,
}: {
  clock: Pick<Clock, 'monotonic'>
  events: Pick<Events, 'noted'>
}): Overload {
  let lastAt = Number.NEGATIVE_INFINITY
  let lastReason = ''
  const isOver = (): boolean => clock.monotonic() - lastAt > RECENT_MILLISECONDS
  return {
    noted: (reason) => {
      if (isOver() || lastReason !== reason) events.noted('overloaded', { why: reason })
      lastAt = clock.monotonic()
      lastReason = reason
    },
    recent: () => (isOver() ? undefined : lastReason),
  }
}
