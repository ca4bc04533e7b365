import type { Clock } from '@twinpool/client/internal/clock'

/** A clock of the client or the verifier (they have the same form) that stands still until a test moves it. */
export type FakeClock = Clock & {
  /** Moves time forward and runs what falls due, in order. */
  advance(ms: number): void
  /** Like advance, and lets promises settle before each timer and at the end. */
  advanceAndSettle(ms: number): Promise<void>
  readonly pending: number
}

export function createFakeClock(): FakeClock {
  let now = 1_800_000_000_000
  let next = 1
  const timers = new Map<number, { at: number; run: () => void }>()
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
  /** Runs the first timer that is due by then. Returns whether there was one. */
  const runNext = (end: number): boolean => {
    const due = [...timers].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at)[0]
    if (!due) return false
    timers.delete(due[0])
    now = Math.max(now, due[1].at)
    due[1].run()
    return true
  }
  return {
    now: () => now,
    random: () => 0.5,
    setTimeout(run, ms) {
      timers.set(next, { at: now + ms, run })
      return next++
    },
    clearTimeout: (timer) => void timers.delete(timer as number),
    get pending() {
      return timers.size
    },
    advance(ms) {
      const end = now + ms
      while (runNext(end));
      now = end
    },
    async advanceAndSettle(ms) {
      const end = now + ms
      do await settle()
      while (runNext(end))
      now = end
      await settle()
    },
  }
}
