import { createHmac } from 'node:crypto'
import { BoundedCache } from '../bounded-cache.ts'
import type { Clock } from '../clock.ts'

/**
 * A limit on how often something happens for each name. A name starts with `perMinute` free, and regains as many in each minute.
 * The counts are in the memory of this process: a count in the database would cost each call a statement. A region with several
 * processes admits as many times more.
 */
export interface RateLimit {
  /** Whether the name has none left. */
  isExhausted(name: string): boolean
  /** Counts one. Returns false if the name had none left. */
  take(name: string): boolean
}

/** For about 30,000 names; the least recently used ones are forgotten. */
const CAPACITY_BYTES = 8_000_000
const MINUTE = 60_000
const KEY_BYTES = 32

export function createRateLimit({
  clock,
  perMinute,
}: {
  clock: Pick<Clock, 'monotonic' | 'randomBytes'>
  perMinute: number
}): RateLimit {
  const interval = MINUTE / perMinute
  /** The time at which the name has regained all. */
  const fullAgain = new BoundedCache<number>({ bytes: CAPACITY_BYTES })
  // Names are addresses of people: a dump of the memory must not show them.
  const key = clock.randomBytes(KEY_BYTES)
  const hashOf = (name: string): string => createHmac('sha256', key).update(name).digest('base64')
  const debtOf = (hash: string): number => Math.max(0, (fullAgain.get(hash) ?? 0) - clock.monotonic())
  const isOver = (debt: number): boolean => debt > MINUTE - interval
  return {
    isExhausted: (name) => isOver(debtOf(hashOf(name))),
    take: (name) => {
      const hash = hashOf(name)
      const debt = debtOf(hash)
      if (isOver(debt)) return false
      fullAgain.set(hash, clock.monotonic() + debt + interval)
      return true
    },
  }
}
