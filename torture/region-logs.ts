import type { Arena } from './arena.ts'
import type { Disturbances } from './disturbances.ts'
import type { Journal } from './journal.ts'
import { ROLES } from './schedule.ts'

interface Line {
  level: number
  time: string
  event?: string
  msg?: string
  err?: { message?: string }
  [member: string]: unknown
}

const WARNING = 40
/** What Node itself says of features that it calls experimental. */
const HARMLESS = /^\(node:\d+\) (?:ExperimentalWarning|Warning: SQLite)|^\(Use `node --trace-warnings/
/** A follower may notice long after a fault that the log was trimmed meanwhile. */
const MEMORY_MILLISECONDS = 30_000

/**
 * Reads what the regions logged: nothing may have failed or been thrown, and each copy must have a reason. A gap is explained
 * when a link or a clock was disturbed, and the log trimmed meanwhile, as the small limits of a run ask for.
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
      const told = (): string => `log of the ${region}: ${text.slice(0, 1_000)}`
      const at = Date.parse(line.time)
      // Time goes on for a process that is stopped: a connection that it waited for is overdue when it wakes.
      const overdue = /timeout/.test(line.err?.message ?? '') && disturbances.explains(region, ['pause'], at, at)
      if (line.level >= WARNING && !overdue) journal.violation(told())
      if (line.event) journal.count(`${line.event}${line.reason ? ` (${line.reason})` : ''}`)
      if (line.event === 'log-renewed') journal.violation(told())
      if (line.event === 'behind') {
        gaps += 1
        // The first contact of all is no gap, and is not noted as one.
        if (line.reason !== 'trimmed' || !explained(at)) journal.violation(`a gap that nothing explains: ${told()}`)
      }
      if (line.event === 'copy-begun') begun += 1
      if (line.event === 'copy-ended') ended += 1
    }
    const reasons = gaps + begun
    if (ended > reasons) journal.violation(`the ${region} ended ${ended} copies, and has reasons for ${reasons}`)
    if (region === 'secondary' && begun > disturbances.replicas + 1) {
      journal.violation(`the secondary began ${begun} first copies; asked for: ${disturbances.replicas + 1}`)
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
