import type { Clock } from '../clock.ts'
import type { Pool } from '../directory/pool.ts'

/**
 * The time by which sign-ins and sign-outs of a pool are ordered: that of the clock of the pool's primary, in all regions of the
 * pool. Clocks of regions and of the processes of a region may differ; compared with the times of two clocks, a sign-out would miss
 * sessions of a process whose clock is ahead, or end sessions that began after it.
 */
export interface PoolClock {
  /** Milliseconds since the epoch. */
  now(pool: Pick<Pool, 'topology'>): number
}

/**
 * A sign-out ends the sessions that began up to this long after it (milliseconds). Twice this time is the longest that a sign-in must
 * wait after a sign-out that its process has not received yet; the time of the primary is known with half of this error at most,
 * unless the route of the requests and that of the responses differ by more.
 */
export const SIGN_OUT_MARGIN_MILLISECONDS = 25

/**
 * @param regionClock the clock of this region
 * @param ahead how far the clock of another region is ahead of `clock`, in milliseconds; undefined if it is unknown
 */
export function createPoolClock({
  clock,
  regionClock,
  region,
  ahead,
}: {
  clock: Pick<Clock, 'now'>
  regionClock: Pick<Clock, 'now'>
  region: string
  ahead: (region: string) => number | undefined
}): PoolClock {
  return {
    now: ({ topology: { primary } }) =>
      primary === region ? regionClock.now() : Math.round(clock.now() + (ahead(primary) ?? 0)),
  }
}
