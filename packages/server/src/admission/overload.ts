import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'

/** What a region has recently refused because it was too much. */
export interface Overload {
  /** Reported once per stretch of time, however often it happens. */
  noted(why: string): void
  /** What an operator should know now; undefined when nothing has been refused recently. */
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
  let at = Number.NEGATIVE_INFINITY
  let reason = ''
  const isOver = (): boolean => clock.monotonic() - at > RECENT_MILLISECONDS
  return {
    noted: (why) => {
      if (isOver() || reason !== why) events.noted('overloaded', { why })
      at = clock.monotonic()
      reason = why
    },
    recent: () => (isOver() ? undefined : reason),
  }
}
