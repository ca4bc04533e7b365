import type { Clock } from './clock.ts'

/**
 * A token bucket that limits how many throttled requests are retried in the same region. Without this limit, each
 * throttled request would become several requests exactly when the region is overloaded.
 */
export type Budget = { take(): boolean }

export function createBudget(
  { capacity, refillPerSecond }: { capacity: number; refillPerSecond: number },
  clock: Pick<Clock, 'now'>,
): Budget {
  let tokens = capacity
  let filledAt = clock.now()
  return {
    take() {
      const now = clock.now()
      tokens = Math.min(capacity, tokens + ((now - filledAt) / 1000) * refillPerSecond)
      filledAt = now
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
  }
}
