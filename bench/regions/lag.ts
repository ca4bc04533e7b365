import type { ChildProcess } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { moment } from './moment.ts'
import type { Watcher } from './watcher.ts'
import type { Write, WriteOrder, WriterMessage } from './writing-region.ts'

/** Milliseconds from the acknowledgement of a write at the primary to the moment at which it could be seen elsewhere. */
export interface Lag {
  writes: number
  /** Changes seen in a second, from the first acknowledgement to the last sight. */
  perSecond: number
  p50: number
  p99: number
  worst: number
  /** The median of the first fifth of the time, and of the last. */
  begins: number
  ends: number
  /** Milliseconds that the lag grew by in a minute (least squares). */
  growth: number
}

/** How many of the writes that are under way are looked for at once. */
const LOOKED_FOR = 500
const LOOK_MILLISECONDS = 1
const PATIENCE_MILLISECONDS = 60_000

/** Lets the writer write, and watches. One Lag for each watcher. @throws Error when a write fails, or never arrives */
export async function measureLag(
  writer: ChildProcess,
  watchers: readonly Watcher[],
  order: WriteOrder,
): Promise<Lag[]> {
  let ended: { failed: number; why: string } | undefined
  const queues = watchers.map(() => [] as Write[])
  const hear = (message: WriterMessage): void => {
    if ('ended' in message) ended = message.ended
    else for (const queue of queues) queue.push(...message.written)
  }
  writer.on('message', hear)
  writer.send(order)
  try {
    return await Promise.all(
      watchers.map(async (watcher, at) => {
        const coming = queues[at] as Write[]
        const arrived: { at: number; lag: number }[] = []
        let under: Write[] = []
        let newest = moment()
        while (!ended || coming.length > 0 || under.length > 0) {
          under.push(...coming.splice(0))
          if (under.length > 0) {
            const seen = new Set(await watcher.seen(under.slice(0, LOOKED_FOR)))
            const now = moment()
            for (const { at } of seen) arrived.push({ at, lag: now - at })
            if (seen.size > 0) {
              newest = now
              under = under.filter((write) => !seen.has(write))
            }
          } else newest = moment()
          if (moment() - newest > PATIENCE_MILLISECONDS)
            throw new Error(`${under.length} writes never arrived at ${watcher.name}`)
          await wait(LOOK_MILLISECONDS)
        }
        if (ended.failed > 0) throw new Error(`${ended.failed} writes failed: ${ended.why}`)
        return toLag(arrived)
      }),
    )
  } finally {
    writer.off('message', hear)
  }
}

function toLag(arrived: { at: number; lag: number }[]): Lag {
  arrived.sort((a, b) => a.at - b.at)
  const first = arrived[0]?.at ?? 0
  const until = (arrived.at(-1)?.at ?? 0) - first
  const lags = arrived.map(({ lag }) => lag).sort((a, b) => a - b)
  const fifth = (from: number): number =>
    middle(arrived.filter(({ at }) => at - first >= from * until && at - first <= (from + 0.2) * until))
  const times = arrived.map(({ at }) => (at - first) / 60_000)
  const meanTime = mean(times)
  const meanLag = mean(lags)
  const spread = mean(times.map((time) => (time - meanTime) ** 2))
  const together = mean(arrived.map(({ lag }, at) => ((times[at] as number) - meanTime) * (lag - meanLag)))
  const last = arrived.reduce((latest, { at, lag }) => Math.max(latest, at + lag), first)
  return {
    writes: arrived.length,
    perSecond: arrived.length / ((last - first) / 1_000),
    p50: lags[Math.floor((lags.length - 1) * 0.5)] ?? Number.NaN,
    p99: lags[Math.floor((lags.length - 1) * 0.99)] ?? Number.NaN,
    worst: lags.at(-1) ?? Number.NaN,
    begins: fifth(0),
    ends: fifth(0.8),
    growth: together / spread,
  }
}

function middle(arrived: readonly { lag: number }[]): number {
  const lags = arrived.map(({ lag }) => lag).sort((a, b) => a - b)
  return lags[Math.floor((lags.length - 1) / 2)] ?? Number.NaN
}

function mean(values: readonly number[]): number {
  let sum = 0
  for (const value of values) sum += value
  return sum / values.length
}
