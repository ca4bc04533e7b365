import type { Arena } from './arena.ts'
import type { Disturbances } from './disturbances.ts'
import type { Journal } from './journal.ts'
import { ROLES } from './schedule.ts'

interface Line {
  level: string
  time: string
  event?: string
  msg?: string
  err?: { message?: string }
  [member: string]: unknown
}

/** Effects of the disturbances; their reasons are judged below. */
const EXPECTED = [
  'clocks-differ',
  'peer-lost',
  'replication-refused',
  'behind',
  'follower-behind',
  'copy-halted',
  'replica-rows-swept',
  'overloaded',
]
/** Warnings of Node about its experimental features. */
const HARMLESS = /^\(node:\d+\) (?:ExperimentalWarning|Warning: SQLite)|^\(Use `node --trace-warnings/
/** A follower may notice long after a fault that the log was trimmed during it. */
const MEMORY_MILLISECONDS = 30_000

/**
 * Checks the logs of the regions: no failures, no exceptions, and a reason for each copy. A gap is explained when a link or a
 * clock was disturbed and the log was trimmed during that time, which the small limits of a run cause.
 */
export function judgeLogs({
  arena,
  disturbances,
  journal,
}: {
  arena: Arena
  disturbances: Disturbances
  journal: Journal
}): void {
  const explained = (at: number): boolean => disturbances.troubled(at - MEMORY_MILLISECONDS, at)
  for (const region of ROLES) {
    let gaps = 0
    let begun = 0
    let ended = 0
    for (const text of arena.readLog(region, 0).text.split('\n')) {
      if (text === '' || HARMLESS.test(text)) continue
      const line = parse(text)
      if (!line) {
        // The last line of a killed process may be cut off.
        if (!text.startsWith('{')) journal.violation(`log of the ${region}: ${text}`)
        continue
      }
      const described = (): string => `log of the ${region}: ${text.slice(0, 1_000)}`
      const at = Date.parse(line.time)
      // Timers expire while a process is paused: a connection that it waited for times out when it resumes.
      const overdue = /timeout/.test(line.err?.message ?? '') && disturbances.explains(region, ['pause'], at, at)
      const bad = (line.level === 'error' || line.level === 'warn') && !EXPECTED.includes(line.event ?? '')
      if (bad && !overdue) journal.violation(described())
      if (line.event) journal.count(`${line.event}${line.reason ? ` (${line.reason})` : ''}`)
      if (line.event === 'log-renewed') journal.violation(described())
      if (line.event === 'behind') {
        gaps += 1
        // The first contact is not a gap and is not logged as one.
        if (line.reason !== 'trimmed' || !explained(at))
          journal.violation(`a gap that no fault explains: ${described()}`)
      }
      if (line.event === 'copy-begun') begun += 1
      if (line.event === 'copy-ended') ended += 1
    }
    const reasons = gaps + begun
    if (ended > reasons)
      journal.violation(`the ${region} ended ${ended} copies, but there are reasons for only ${reasons}`)
    if (region === 'secondary' && begun > disturbances.replicas + 1) {
      journal.violation(`the secondary began ${begun} first copies; requested: ${disturbances.replicas + 1}`)
    }
  }
}

function parse(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line
  } catch {
    return undefined
  }
}
