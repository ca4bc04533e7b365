import type { Clock } from '@twinpool/client/internal/clock'

export type FakeClock = Clock & {
  /** Advances the time and runs the timers that become due, in order; promises settle in between. */
  advance(ms: number): Promise<void>
  readonly pending: number
}

export function createFakeClock(): FakeClock {
  let now = 1_800_000_000_000
  let next = 1
  const timers = new Map<number, { at: number; run: () => void }>()
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
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
    async advance(ms) {
      const end = now + ms
      for (;;) {
        await settle()
        const due = [...timers].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at)[0]
        if (!due) break
        timers.delete(due[0])
        now = Math.max(now, due[1].at)
        due[1].run()
      }
      now = end
      await settle()
    },
  }
}
