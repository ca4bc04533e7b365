import { setTimeout as wait } from 'node:timers/promises'
import { memoryOf } from '../regions/memory.ts'
import { openMirror } from '../regions/mirror.ts'
import { type EngineName, openPlane } from '../regions/plane.ts'
import type { CopyProgress } from '../regions/watcher.ts'
import type { Stage } from '../stage.ts'
import { type Case, type Row, round, shown } from './case.ts'

const USERS = { full: 1_000_000, quick: 20_000 }
const POLL_MILLISECONDS = 20
/** `time` in seconds, `memory` in megabytes. */
const BOUND = { time: 300, memory: 300 }

export const firstCopy: Case = {
  name: 'first-copy',
  title: 'First copy of a pool into another region, which is killed halfway through',
  run: async (stage) => {
    const users = stage.quick ? USERS.quick : USERS.full
    const rows: Row[] = []
    const lines: string[][] = []
    for (const engine of ['postgres', 'sqlite'] as const) {
      const copy = await measureCopy(stage, engine, users)
      const what = `${users.toLocaleString('en')} users, ${engine === 'postgres' ? 'PostgreSQL' : 'SQLite'}`
      const bound = (name: string, ours: number, theirs: number, peer = 'bound'): void => {
        rows.push({
          what: `${what}, ${name}`,
          peer,
          ours: round(ours),
          theirs: round(theirs),
          ratio: round(ours / theirs),
        })
      }
      bound('seconds', copy.seconds, BOUND.time)
      bound('peak memory of the copying region in MB', copy.peak.secondary, BOUND.memory)
      bound('peak memory of the primary in MB', copy.peak.primary, BOUND.memory)
      bound('rows after the kill', copy.kept, copy.atKill, 'rows at the time of the kill')
      lines.push([
        `twinpool, ${what}`,
        shown(copy.seconds),
        copy.rows.toLocaleString('en'),
        shown(copy.rows / copy.seconds),
        `${shown(copy.peak.primary)}; ${shown(copy.peak.secondary)}`,
      ])
      if (copy.initialSync === undefined) continue
      bound('seconds', copy.seconds, copy.initialSync, 'PostgreSQL logical replication')
      lines.push([
        'initial sync of logical replication',
        shown(copy.initialSync),
        copy.rows.toLocaleString('en'),
        shown(copy.rows / copy.initialSync),
        '',
      ])
    }
    return {
      rows,
      table: { head: ['', 'seconds', 'rows', 'rows/s', 'peak memory, primary; copying region, MB'], lines },
      notes: [
        'A user is one row with nine indexes, and two alias rows (username, e-mail).',
        'The copying region is killed (SIGKILL) when half of the rows are copied, and started again; the time is the total without the downtime.',
        'The initial sync copies the same rows from the same database into the same tables and indexes on the same second server, with two workers (the default).',
      ],
    }
  },
}

interface CopyFigures {
  /** Excludes the time in which the region was down. */
  seconds: number
  rows: number
  /** Rows copied at the time of the kill, and when the resumed copy was first seen. */
  atKill: number
  kept: number
  /** Megabytes. */
  peak: { primary: number; secondary: number }
  /** Seconds; PostgreSQL only. */
  initialSync?: number
}

async function measureCopy(stage: Stage, engine: EngineName, users: number): Promise<CopyFigures> {
  const plane = await openPlane(stage, { engine, built: true })
  const { primary, secondary } = plane
  const [{ pool } = { pool: '' }] = await plane.createPools(1)
  stage.say(`${engine}: filling a pool with ${users.toLocaleString('en')} users`)
  await plane.fill([{ pool, users, passwords: 0 }])
  const watcher = await secondary.watch()

  const began = performance.now()
  await plane.replicate(pool)
  const half = await progressWhen(watcher.copy, ({ done, total }) => total > 0 && done >= total / 2)
  const { peak } = memoryOf(secondary.pid)
  await secondary.kill()
  const killed = performance.now()
  const atKill = (await watcher.copy()) as CopyProgress
  await secondary.start()
  const down = performance.now() - killed
  const resumed = await progressWhen(watcher.copy, ({ generation }) => generation === atKill.generation)
  stage.say(`${engine}: killed with ${atKill.done} of ${half.total} rows copied, resumed with ${resumed.done}`)
  await plane.copied(pool, secondary)
  const seconds = (performance.now() - began - down) / 1_000
  const figures: CopyFigures = {
    seconds,
    rows: atKill.total,
    atKill: atKill.done,
    kept: resumed.done,
    peak: { primary: memoryOf(primary.pid).peak, secondary: Math.max(peak, memoryOf(secondary.pid).peak) },
  }
  stage.say(
    `${engine}: ${shown(seconds)} s, ${shown(figures.rows / seconds)} rows/s, peak ${shown(figures.peak.primary)} and ${shown(figures.peak.secondary)} MB`,
  )
  if (engine === 'postgres') {
    await secondary.stop()
    const mirror = await openMirror(stage, { publisher: primary, subscriber: secondary })
    figures.initialSync = await mirror.subscribe()
    stage.say(`initial sync of logical replication: ${shown(figures.initialSync)} s`)
    await mirror.unsubscribe()
  }
  await plane.stop()
  return figures
}

async function progressWhen(
  read: () => Promise<CopyProgress | undefined>,
  isReached: (progress: CopyProgress) => boolean,
): Promise<CopyProgress> {
  for (;;) {
    const progress = await read()
    if (progress && isReached(progress)) return progress
    await wait(POLL_MILLISECONDS)
  }
}
