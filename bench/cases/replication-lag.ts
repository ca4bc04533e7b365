import { type Lag, measureLag } from '../regions/lag.ts'
import { openMirror, preallocateWal } from '../regions/mirror.ts'
import { type BenchPlane, type EngineName, openPlane } from '../regions/plane.ts'
import type { Watcher } from '../regions/watcher.ts'
import { median } from '../rounds.ts'
import type { Stage } from '../stage.ts'
import { type Case, type Row, round, shown } from './case.ts'

const RATES = { full: [50, 200, 500, 1_000], quick: [50, 200, 1_000] } as const
const USERS = 10_000
const STEADY = { perSecond: 1_000, seconds: 300 }
/** Milliseconds, at 200 writes a second. */
const BOUND = 100

export const replicationLag: Case = {
  name: 'replication-lag',
  title:
    'Replication: changes per second, and the time from the acknowledgement of a write to its visibility in the other region',
  run: async (stage) => {
    const pace = stage.quick
      ? { rounds: 1, seconds: 1.5, warmUp: 0.5, first: 0.5 }
      : { rounds: 5, seconds: 10, warmUp: 3, first: 30 }
    const rates = stage.quick ? RATES.quick : RATES.full
    const rows: Row[] = []
    const lines: string[][] = []
    const addLine = (what: string, server: string, lag: Lag, ratio: string): void => {
      lines.push([what, server, shown(lag.perSecond), shown(lag.p50), shown(lag.p99), shown(lag.worst), ratio])
    }

    const postgres = await openWriting(stage, 'postgres')
    const mirror = await openMirror(stage, { publisher: postgres.plane.primary, subscriber: postgres.plane.secondary })
    const results = { ours: new Map<number, Lag[]>(), theirs: new Map<number, Lag[]>() }
    const measureSide = async (side: 'ours' | 'theirs', watcher: Watcher): Promise<void> => {
      await postgres.measure(watcher, { perSecond: 200, seconds: pace.warmUp })
      for (const perSecond of rates) {
        const lag = await postgres.measure(watcher, { perSecond, seconds: pace.seconds })
        stage.say(
          `${perSecond}/s, ${side}: ${shown(lag.perSecond)}/s, p50 ${shown(lag.p50)} ms, p99 ${shown(lag.p99)} ms`,
        )
        results[side].set(perSecond, [...(results[side].get(perSecond) ?? []), lag])
      }
    }
    if (!stage.quick) await Promise.all(postgres.plane.regions.map(preallocateWal))
    // Both sides share the primary, which runs through all rounds.
    await postgres.measure(postgres.watcher, { perSecond: 500, seconds: pace.first })
    for (let at = 0; at < pace.rounds; at += 1) {
      await measureSide('ours', postgres.watcher)
      await postgres.plane.secondary.stop()
      await mirror.subscribe()
      await measureSide('theirs', mirror.watcher)
      await mirror.unsubscribe()
      await postgres.plane.secondary.start()
    }
    for (const perSecond of rates) {
      const [ours, theirs] = [results.ours.get(perSecond) ?? [], results.theirs.get(perSecond) ?? []]
      const what = `${perSecond} writes/s`
      const ratio = median(ours.map((lag, at) => lag.p99 / (theirs[at] as Lag).p99))
      const [ourMedian, theirMedian] = [medianOf(ours), medianOf(theirs)]
      addLine(what, 'twinpool, PostgreSQL', ourMedian, shown(ratio))
      addLine(what, 'logical replication', theirMedian, '')
      const both = { ours: round(ourMedian.p99), theirs: round(theirMedian.p99), ratio: round(ratio) }
      rows.push({ what: `${what}, p99 in ms`, peer: 'PostgreSQL logical replication', ...both })
      if (perSecond === 200) rows.push(boundOf(what, ourMedian))
    }
    // First let the second region catch up with the writes that it missed.
    await postgres.measure(postgres.watcher, { perSecond: 200, seconds: pace.warmUp })
    const steady = stage.quick ? { ...STEADY, seconds: 4 } : STEADY
    const lag = await postgres.measure(postgres.watcher, steady)
    addLine(`${shown(steady.perSecond)} writes/s for ${steady.seconds} s`, 'twinpool, PostgreSQL', lag, '')
    const growth = round(lag.ends / lag.begins)
    rows.push({
      what: `${steady.perSecond} writes/s for ${steady.seconds} s, p50 of the last fifth in ms`,
      peer: 'its first fifth',
      ours: round(lag.ends),
      theirs: round(lag.begins),
      ratio: growth,
    })
    await postgres.plane.stop()

    const sqlite = await openWriting(stage, 'sqlite')
    await sqlite.measure(sqlite.watcher, { perSecond: 200, seconds: pace.warmUp })
    for (const perSecond of rates) {
      const lag = await sqlite.measure(sqlite.watcher, { perSecond, seconds: pace.seconds })
      addLine(`${perSecond} writes/s`, 'twinpool, SQLite', lag, '')
      if (perSecond === 200) rows.push(boundOf(`${perSecond} writes/s, SQLite`, lag))
    }
    return {
      rows,
      table: { head: ['', '', 'changes/s', 'p50 ms', 'p99 ms', 'worst ms', 'p99, ours : theirs'], lines },
      notes: [
        `A write changes the name of one of ${USERS.toLocaleString('en')} users, each in its own durable transaction. The primary's process generates the writes at a fixed rate, or as fast as the machine can, with at most 64 in flight.`,
        'The replica is polled from outside, at most once per millisecond; one clock times both ends.',
        "PostgreSQL's own logical replication copies the same rows, from the same database under the same writes, into the same tables and indexes on the same second server, while our second region is stopped; the two alternate.",
        'Both servers start with recyclable WAL files: a new server first fills each 16 MB file with zeros, for a tenth of a second or more without commits, which would distort the p99 of the side being measured.',
        `Steady: over ${steady.seconds} s the lag changed by ${shown(lag.growth)} ms per minute (least squares); p50 was ${shown(lag.begins)} ms in the first fifth and ${shown(lag.ends)} ms in the last.`,
      ],
    }
  },
}

interface Writing {
  plane: BenchPlane
  watcher: Watcher
  measure(watcher: Watcher, load: { perSecond: number; seconds: number }): Promise<Lag>
}

async function openWriting(stage: Stage, engine: EngineName): Promise<Writing> {
  const plane = await openPlane(stage, { engine })
  const [{ pool } = { pool: '' }] = await plane.createPools(1)
  await plane.fill([{ pool, users: stage.quick ? USERS / 2 : USERS, passwords: 0 }])
  await plane.replicate(pool)
  await plane.copied(pool, plane.secondary)
  return {
    plane,
    watcher: await plane.secondary.watch(),
    measure: async (watcher, load) =>
      (await measureLag(plane.primary.child, [watcher], { pools: [pool], ...load }))[0] as Lag,
  }
}

const boundOf = (what: string, { p99 }: Lag): Row => ({
  what: `${what}, p99 in ms`,
  peer: 'bound',
  ours: round(p99),
  theirs: BOUND,
  ratio: round(p99 / BOUND),
})

/** Each figure is the median of the rounds. */
function medianOf(lags: readonly Lag[]): Lag {
  const names = Object.keys(lags[0] as Lag) as (keyof Lag)[]
  return Object.fromEntries(names.map((name) => [name, median(lags.map((lag) => lag[name]))])) as unknown as Lag
}
