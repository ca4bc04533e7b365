import { systemClock } from '../clock.ts'
import { addSample, bestOf, type ClockSample, contradicts, sampleClock } from '../clock-samples.ts'

/** The clock of the database server, as this process knows it from the responses to statements that it sends anyway. */
export interface ServerClock {
  /** Milliseconds since the epoch; undefined before the first measurement. */
  now(): number | undefined
  /**
   * Runs a statement whose row has the time, and compares it with our monotonic clock, which is never set. Returns the row and the
   * sample.
   */
  sample<R extends { time: number }>(statement: () => Promise<{ rows: R[] }>): Promise<{ row: R; sample: ClockSample }>
  /** Adds one of the regular samples. */
  add(sample: ClockSample): void
  /**
   * Adds the sample of a new connection, before its first use: it may lead to another server. A worse sample is ignored, so that many
   * new connections do not displace the regular samples.
   */
  addFirst(sample: ClockSample): void
}

/** SQL expression: the time of the server, in milliseconds since the epoch. */
export const SERVER_TIME = '(extract(epoch from clock_timestamp()) * 1000)::float8'

export function createServerClock(): ServerClock {
  let samples: ClockSample[] = []
  const add = (sample: ClockSample): void => {
    samples = addSample(samples, sample)
  }
  return {
    now: () => {
      const best = bestOf(samples)
      return best && systemClock.monotonic() + best.ahead
    },
    sample: async <R extends { time: number }>(statement: () => Promise<{ rows: R[] }>) => {
      let row = {} as R
      const sample = await sampleClock({ clock: systemClock, ours: 'monotonic' }, async () => {
        row = (await statement()).rows[0] as R
        return row.time
      })
      return { row, sample }
    },
    add,
    addFirst: (sample) => {
      const best = bestOf(samples)
      if (!best || sample.error <= best.error || contradicts(samples, sample)) add(sample)
    },
  }
}
