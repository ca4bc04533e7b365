import type { Clock } from './clock.ts'

/** One measurement of another clock. */
export interface ClockSample {
  /** Milliseconds by which the other clock is ahead of ours. */
  ahead: number
  /** Half of the duration of the request: the largest possible error, in milliseconds. */
  error: number
}

const SAMPLES = 8
/** Clocks that are adjusted drift; a difference above the possible error and this means that one of them was set. */
const DRIFT_MILLISECONDS = 2

/**
 * Compares the time that `read` requests with one of our clocks: it belongs to the middle of the request's time, give or take half of
 * it.
 */
export async function sampleClock(
  { clock, ours }: { clock: Pick<Clock, 'now' | 'monotonic'>; ours: 'now' | 'monotonic' },
  read: () => Promise<number>,
): Promise<ClockSample> {
  const began = { now: clock.now(), monotonic: clock.monotonic() }
  const time = await read()
  const ended = { now: clock.now(), monotonic: clock.monotonic() }
  // The monotonic clock stops while a machine is suspended; the wall clock may be set back.
  const error = Math.max(ended.monotonic - began.monotonic, ended.now - began.now) / 2
  return { ahead: time - (ended[ours] - error), error }
}

/** Whether a sample differs from the others by more than the possible errors: a clock was set, or it is another clock. */
export function contradicts(recent: readonly ClockSample[], sample: ClockSample): boolean {
  const best = bestOf(recent)
  return best !== undefined && Math.abs(sample.ahead - best.ahead) > sample.error + best.error + DRIFT_MILLISECONDS
}

/** Chooses from the recent samples of one clock, oldest first. After one that contradicts them, they are forgotten. */
export const addSample = (recent: readonly ClockSample[], sample: ClockSample): ClockSample[] =>
  contradicts(recent, sample) ? [sample] : [...recent, sample].slice(-SAMPLES)

export const bestOf = (samples: readonly ClockSample[]): ClockSample | undefined =>
  samples.reduce<ClockSample | undefined>((best, next) => (best && best.error <= next.error ? best : next), undefined)
