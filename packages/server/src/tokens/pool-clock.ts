import type { Clock } from '../clock.ts'
import type { Pool } from '../directory/pool.ts'

/**
 * The time by which sign-ins and sign-outs of a pool are ordered: that of the clock of the pool's primary, in all regions of the
 * pool. Clocks of regions may differ; compared with the times of two clocks, a sign-out would miss sessions of a region whose clock
 * is ahead, or end sessions that began after it.
 */
export interface PoolClock {
  /** Milliseconds since the epoch. */
  now(pool: Pick<Pool, 'topology'>): number
}

/**
 * A sign-out ends the sessions that began up to this long after it (milliseconds). Twice this time is the longest that a sign-in must
 * wait after a sign-out that its region has not received yet; the time of another region is known with half of this error at most,
 * unless the route of the requests and that of the responses differ by more.
 */
export const SIGN_OUT_MARGIN_MILLISECONDS = 25

/** @param ahead how far the clock of another region is ahead of ours, in milliseconds; undefined if it is unknown */
export function createPoolClock({
  clock,
  region,
  ahead,
}: {
  clock: Pick<Clock, 'now'>
  region: string
  ahead: (region: string) => number | undefined
}): PoolClock {
  return {
    now: ({ topology: { primary } }) =>
      primary === region ? clock.now() : Math.round(clock.now() + (ahead(primary) ?? 0)),
  }
}
