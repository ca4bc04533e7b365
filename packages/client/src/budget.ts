import type { Clock } from './clock.ts'

/**
 * A token bucket: how many throttled requests may be tried again in the same region. Without it each
 * throttled request would become several, just when there are too many.
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
