import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Arena } from './arena.ts'
import { createCaller } from './calls.ts'
import { createDirectory } from './directory.ts'
import { createDisturbances } from './disturbances.ts'
import type { Failover } from './failovers.ts'
import { createFaults } from './faults.ts'
import { createJournal, type Journal } from './journal.ts'
import { awaitEqual, judge, settleAll } from './judge.ts'
import { pause } from './pace.ts'
import { runReader } from './readers.ts'
import { judgeLogs } from './region-logs.ts'
import { planFaults, ROLES } from './schedule.ts'
import { makeSetting } from './setting.ts'
import { runWriter } from './writers/run.ts'

export interface TortureReport {
  ok: boolean
  seed: number
  minutes: number
  store: string
  faults: number
  /** The number of events of each kind. */
  counts: Readonly<Record<string, number>>
  /** Milliseconds from the end of the last fault until both regions were equal; null if they never were. */
  convergence: number | null
  /** The maximum resident memory of a region's process, in MiB. */
  memory: number
  violations: readonly string[]
  /** The databases that were replaced, and how it was noticed. */
  failovers: readonly Failover[]
}

const WRITERS = 6
const READERS = 8
const PROGRESS_MILLISECONDS = 5_000
const LOOK_MILLISECONDS = 1_000
const MOST_MEBIBYTES = 400
const PRINTED_EVENTS = 80

/**
 * One run: work and faults together, then rest, then the final checks. The seed determines the schedule and the choices of each
 * worker, but not when processes and the network respond.
 */
export async function runTorture({
  seed,
  minutes,
  store,
  open,
  print,
}: {
  seed: number
  minutes: number
  store: string
  open: () => Promise<Arena>
  print: (line: string) => void
}): Promise<TortureReport> {
  const journal = createJournal({ seed, print })
  const arena = await open()
  try {
    const setting = await makeSetting(arena)
    const disturbances = createDisturbances({ onServerClock: store === 'postgres' })
    const caller = createCaller({ arena, disturbances, journal })
    const directory = createDirectory()
    const context = { caller, directory, journal, setting, disturbances }
    const faults = createFaults({ arena, caller, disturbances, journal, pool: setting.pool, seed })
    const milliseconds = minutes * 60_000
    const plan = planFaults({ seed, milliseconds, kinds: arena.able })
    print(`seed ${seed}: pool ${setting.pool}, ${plan.length} faults in ${Math.round(milliseconds / 1_000)} s`)

    let over = false
    const isOver = (): boolean => over
    const watch = watchMemory(arena, isOver)
    const progress = setInterval(() => print(summary(journal)), PROGRESS_MILLISECONDS)
    const workers = [
      ...Array.from({ length: WRITERS }, (_, number) => runWriter(context, { seed, number, isOver })),
      ...Array.from({ length: READERS }, (_, number) => runReader(context, { seed, number, isOver })),
    ]
    try {
      await Promise.all([faults.run(plan), pause(milliseconds)])
      await faults.healAll()
      over = true
      await Promise.all(workers)
    } finally {
      over = true
      clearInterval(progress)
    }
    print('all faults ended; waiting until both regions are equal')
    await settleAll(context)
    const convergence = (await awaitEqual(arena, context)) ?? null
    if (convergence !== null) await judge(context)
    judgeLogs({ arena, disturbances, failovers: faults.failovers, journal })
    const memory = await watch
    if (memory > MOST_MEBIBYTES)
      journal.violation(`a region used ${memory} MiB of memory; the limit is ${MOST_MEBIBYTES}`)

    const { violations, counts } = journal
    const report = {
      ...{ ok: violations.length === 0, seed, minutes, store, faults: plan.length },
      ...{ counts, convergence, memory, violations, failovers: faults.failovers },
    }
    if (!report.ok) reportFailure(arena, { journal, report, print })
    print(summary(journal))
    return report
  } finally {
    await arena.stop()
  }
}

function summary({ counts, violations }: Journal): string {
  const kinds = ['acknowledged writes', 'sign-ins', 'uses of tokens', 'sign-outs', 'revocations', 'broken calls']
  return `${kinds.map((what) => `${counts[what] ?? 0} ${what}`).join(', ')}; ${violations.length} violations`
}

/** Writes what is needed to understand a failure: the newest events, and the logs of the regions. */
function reportFailure(
  arena: Arena,
  { journal, report, print }: { journal: Journal; report: TortureReport; print: (line: string) => void },
): void {
  const directory = mkdtempSync(join(tmpdir(), `torture-${report.seed}-`))
  for (const region of ROLES) writeFileSync(join(directory, `${region}.log`), arena.readLog(region, 0).text)
  writeFileSync(join(directory, 'events.log'), `${journal.tail(Number.POSITIVE_INFINITY).join('\n')}\n`)
  writeFileSync(join(directory, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`)
  print(`the last ${PRINTED_EVENTS} events:`)
  for (const line of journal.tail(PRINTED_EVENTS)) print(`  ${line}`)
  print(`seed ${report.seed}: ${report.violations.length} violations; logs of the regions: ${directory}`)
}

/** The maximum resident memory of a region's process, in MiB; 0 on systems without /proc. */
async function watchMemory(arena: Arena, isOver: () => boolean): Promise<number> {
  let most = 0
  while (!isOver()) {
    for (const region of ROLES) {
      const { pid } = await arena.look(region).catch(() => ({ pid: undefined }))
      if (pid !== undefined) most = Math.max(most, residentMebibytes(pid))
    }
    await pause(LOOK_MILLISECONDS)
  }
  return most
}

function residentMebibytes(pid: number): number {
  try {
    const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return Math.round(Number(kibibytes ?? 0) / 1_024)
  } catch {
    return 0
  }
}
