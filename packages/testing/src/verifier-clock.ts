import type { Clock } from '@twinpool/verifier/internal/clock'

export type FakeClock = Clock & {
  /** Advances the time and runs the timers that become due, in order. */
  advance(ms: number): void
  readonly pending: number
}

export function createFakeClock(): FakeClock {
  let now = 1_800_000_000_000
  let next = 1
  const timers = new Map<number, { at: number; run: () => void }>()
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
      for (;;) {
        const due = [...timers].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at)[0]
        if (!due) break
        timers.delete(due[0])
        now = Math.max(now, due[1].at)
        due[1].run()
      }
      now = end
    },
  }
}
