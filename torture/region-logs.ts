import type { Arena } from './arena.ts'
import type { Disturbances } from './disturbances.ts'
import { describeFailover, type Failover } from './failovers.ts'
import type { Journal } from './journal.ts'
import { otherRole, ROLES, type Role } from './schedule.ts'

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
  'log-renewed',
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
  failovers,
  journal,
}: {
  arena: Arena
  disturbances: Disturbances
  failovers: readonly Failover[]
  journal: Journal
}): void {
  const explained = (at: number): boolean => disturbances.troubled(at - MEMORY_MILLISECONDS, at)
  const failoversOf = (region: Role): Failover[] => failovers.filter((failover) => failover.region === region)
  for (const region of ROLES) {
    const own = failoversOf(region)
    const ofPeer = failoversOf(otherRole(region))
    let offset = 0
    let gaps = 0
    let begun = 0
    let ended = 0
    for (const text of arena.readLog(region, 0).text.split('\n')) {
      const start = offset
      offset += Buffer.byteLength(text) + 1
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
      const replaced = disturbances.explains(region, ['failover', 'put-back'], at, at)
      if (bad && !overdue && !replaced) journal.violation(described())
      if (line.event) journal.count(`${line.event}${line.reason ? ` (${line.reason})` : ''}`)
      if (line.event === 'log-renewed') {
        const failover = own.findLast(({ logOffset }) => logOffset <= start)
        if (!failover) journal.violation(described())
        failover?.noticed.push({ event: 'log-renewed', reason: String(line.reason), after: at - failover.endedAt })
      }
      if (line.event === 'behind') {
        gaps += 1
        // The first contact is not a gap and is not logged as one.
        const trimmed = line.reason === 'trimmed' && explained(at)
        const failover = ofPeer.findLast(({ endedAt }) => endedAt <= at)
        const renewed = line.reason !== 'trimmed' && failover !== undefined
        if (failover && !failover.noticed.some(({ event }) => event === 'behind'))
          failover.noticed.push({ event: 'behind', reason: String(line.reason), after: at - failover.endedAt })
        if (!trimmed && !renewed) journal.violation(`a gap that no fault explains: ${described()}`)
      }
      if (line.event === 'copy-begun') begun += 1
      if (line.event === 'copy-ended') ended += 1
    }
    for (const failover of own) {
      // A file that was put back while the region was stopped looks unchanged, until a follower that has read past it greets.
      const isIdentified = failover.kind === 'failover' || failover.running
      const times = failover.noticed.filter(({ reason }) => reason === 'another-database').length
      if (times !== (isIdentified ? 1 : 0))
        journal.violation(`noticed ${times} times by its identity: ${describeFailover(failover)}`)
    }
    // The end of a copy may be lost, and then the copy ends again.
    const reasons = gaps + begun + own.length
    if (ended > reasons)
      journal.violation(`the ${region} ended ${ended} copies, but there are reasons for only ${reasons}`)
    // So may be the beginning, or at the primary the request.
    const requested = disturbances.replicas + 1 + failovers.filter(({ lossy }) => lossy).length
    if (region === 'secondary' && begun > requested) {
      journal.violation(`the secondary began ${begun} first copies; requested: ${requested}`)
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
