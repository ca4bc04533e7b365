import { setTimeout as wait } from 'node:timers/promises'
import { memoryOf } from '../regions/memory.ts'
import { openMirror } from '../regions/mirror.ts'
import { type EngineName, openPlane } from '../regions/plane.ts'
import type { CopyProgress } from '../regions/watcher.ts'
import type { Stage } from '../stage.ts'
import { type Case, type Row, round, shown } from './case.ts'

const USERS = { full: 1_000_000, quick: 20_000 }
const LOOK_MILLISECONDS = 20
/** Seconds; megabytes. */
const BOUND = { time: 300, memory: 300 }

export const firstCopy: Case = {
  name: 'first-copy',
  title: 'First copy of a pool into another region, which is killed halfway',
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
      bound('peak of memory in MB, the region that copies', copy.peak.secondary, BOUND.memory)
      bound('peak of memory in MB, the primary', copy.peak.primary, BOUND.memory)
      bound('rows there after the kill', copy.kept, copy.atKill, 'rows there at the kill')
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
      table: { head: ['', 'seconds', 'rows', 'rows/s', 'peak of memory, primary; copying region, MB'], lines },
      notes: [
        'A user is a row with nine indexes, and two rows of names (username, e-mail).',
        'The region that copies is killed (SIGKILL) when half of the rows are in, and started again; the time is that of the whole, less the time in which it was down.',
        'The initial sync copies the same rows from the same database into the same tables and indexes on the same second server, with two workers, as by default.',
      ],
    }
  },
}

interface CopyFigures {
  /** Without the time in which the region was down. */
  seconds: number
  rows: number
  /** Rows that were in at the kill, and when the copy was seen again. */
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
  stage.say(`${engine}: killed with ${atKill.done} of ${half.total} rows in, went on with ${resumed.done}`)
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
  look: () => Promise<CopyProgress | undefined>,
  isThere: (progress: CopyProgress) => boolean,
): Promise<CopyProgress> {
  for (;;) {
    const progress = await look()
    if (progress && isThere(progress)) return progress
    await wait(LOOK_MILLISECONDS)
  }
}
