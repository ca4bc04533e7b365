import type { ChildProcess } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { moment } from './moment.ts'
import type { Watcher } from './watcher.ts'
import type { Write, WriteOrder, WriterMessage } from './writing-region.ts'

/** Time from the acknowledgement of a write at the primary to its visibility in another region, in milliseconds. */
export interface Lag {
  writes: number
  /** Changes per second, from the first acknowledgement to the last arrival. */
  perSecond: number
  p50: number
  p99: number
  worst: number
  /** The median of the first fifth of the time, and of the last fifth. */
  begins: number
  ends: number
  /** Growth of the lag in milliseconds per minute (least squares). */
  growth: number
}

/** Maximum writes per query of a watcher. */
const QUERY_LIMIT = 500
const POLL_MILLISECONDS = 1
const TIMEOUT_MILLISECONDS = 60_000

/**
 * Starts the writer and measures the lag at each watcher. Returns one Lag per watcher. @throws Error if a write fails
 * or never arrives
 */
export async function measureLag(
  writer: ChildProcess,
  watchers: readonly Watcher[],
  order: WriteOrder,
): Promise<Lag[]> {
  let ended: { failed: number; why: string } | undefined
  const queues = watchers.map(() => [] as Write[])
  const onMessage = (message: WriterMessage): void => {
    if ('ended' in message) ended = message.ended
    else for (const queue of queues) queue.push(...message.written)
  }
  writer.on('message', onMessage)
  writer.send(order)
  try {
    return await Promise.all(
      watchers.map(async (watcher, at) => {
        const queue = queues[at] as Write[]
        const arrived: { at: number; lag: number }[] = []
        let pending: Write[] = []
        let lastArrival = moment()
        while (!ended || queue.length > 0 || pending.length > 0) {
          pending.push(...queue.splice(0))
          if (pending.length > 0) {
            const seen = new Set(await watcher.seen(pending.slice(0, QUERY_LIMIT)))
            const now = moment()
            for (const { at } of seen) arrived.push({ at, lag: now - at })
            if (seen.size > 0) {
              lastArrival = now
              pending = pending.filter((write) => !seen.has(write))
            }
          } else lastArrival = moment()
          if (moment() - lastArrival > TIMEOUT_MILLISECONDS)
            throw new Error(`${pending.length} writes never arrived at ${watcher.name}`)
          await wait(POLL_MILLISECONDS)
        }
        if (ended.failed > 0) throw new Error(`${ended.failed} writes failed: ${ended.why}`)
        return toLag(arrived)
      }),
    )
  } finally {
    writer.off('message', onMessage)
  }
}

function toLag(arrived: { at: number; lag: number }[]): Lag {
  arrived.sort((a, b) => a.at - b.at)
  const first = arrived[0]?.at ?? 0
  const until = (arrived.at(-1)?.at ?? 0) - first
  const lags = arrived.map(({ lag }) => lag).sort((a, b) => a - b)
  const fifth = (from: number): number =>
    medianLag(arrived.filter(({ at }) => at - first >= from * until && at - first <= (from + 0.2) * until))
  const times = arrived.map(({ at }) => (at - first) / 60_000)
  const meanTime = mean(times)
  const meanLag = mean(lags)
  const variance = mean(times.map((time) => (time - meanTime) ** 2))
  const covariance = mean(arrived.map(({ lag }, at) => ((times[at] as number) - meanTime) * (lag - meanLag)))
  const last = arrived.reduce((latest, { at, lag }) => Math.max(latest, at + lag), first)
  return {
    writes: arrived.length,
    perSecond: arrived.length / ((last - first) / 1_000),
    p50: lags[Math.floor((lags.length - 1) * 0.5)] ?? Number.NaN,
    p99: lags[Math.floor((lags.length - 1) * 0.99)] ?? Number.NaN,
    worst: lags.at(-1) ?? Number.NaN,
    begins: fifth(0),
    ends: fifth(0.8),
    growth: covariance / variance,
  }
}

function medianLag(arrived: readonly { lag: number }[]): number {
  const lags = arrived.map(({ lag }) => lag).sort((a, b) => a - b)
  return lags[Math.floor((lags.length - 1) / 2)] ?? Number.NaN
}

function mean(values: readonly number[]): number {
  let sum = 0
  for (const value of values) sum += value
  return sum / values.length
}
