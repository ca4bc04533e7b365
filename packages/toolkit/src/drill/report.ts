/** What a drill measured. Durations are milliseconds. */
export interface DrillReport {
  /** True when nothing was found that should not be. */
  ok: boolean
  /** What was wrong, a sentence each. */
  problems: string[]
  pool: string
  users: number
  primary: string
  secondary: string
  /** From the kill to the moment when the client stopped asking the dead region first. */
  detection: number | null
  /** From the kill to the first sign-in, refresh or read that succeeded after it. */
  rto: number | null
  rpo: {
    /** What the replica said of its lag just before the kill. */
    lagAtKill: number | null
    /** Writes that the primary had acknowledged and that the replica does not have. */
    acknowledgedWritesMissing: number
    acknowledgedWrites: number
  }
  /** Requests from the kill to the return of the primary, per kind. */
  requests: Record<string, { sent: number; served: number; retried: number; failed: number }>
  /** What the replica refuses by design, and the error it did so with. */
  refused: { operation: string; error: string; asDocumented: boolean }[]
  /** Tokens of the dead region at the living one, and the other way round after its return. */
  tokens: {
    primaryTokenAtSecondary: boolean
    secondaryTokenAtPrimary: boolean
    issuerAnswered: boolean
    signOutSurvivedReturn: boolean
  }
  /** How long the primary was away, and from its restart to both directories being equal. */
  outage: number
  catchUp: number | null
  checksums: { primary: string; secondary: string; equal: boolean }
}

const seconds = (milliseconds: number): string =>
  milliseconds < 1_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1_000).toFixed(1)} s`

/** The report in plain words. */
export function renderDrillReport(report: DrillReport): string {
  const { rpo, tokens, checksums } = report
  const unknown = 'not seen'
  const told = (milliseconds: number | null): string => (milliseconds === null ? unknown : seconds(milliseconds))
  const lines = [
    report.ok ? 'The pool survived the loss of its primary region.' : 'The drill found problems:',
    ...report.problems.map((problem) => `  - ${problem}`),
    '',
    `Pool ${report.pool}, ${report.users} users; ${report.primary} was killed, ${report.secondary} went on.`,
    '',
    `Detection       ${told(report.detection)} until the client stopped asking the dead region`,
    `RTO             ${told(report.rto)} from the kill to the first request served again`,
    `RPO             ${rpo.acknowledgedWritesMissing} of ${rpo.acknowledgedWrites} acknowledged writes were not on the replica (lag at the kill: ${told(rpo.lagAtKill)})`,
    `Outage          ${seconds(report.outage)}; caught up ${told(report.catchUp)} after the restart`,
    `Directories     ${checksums.equal ? 'equal' : 'NOT EQUAL'} (${checksums.primary.slice(0, 16)} / ${checksums.secondary.slice(0, 16)})`,
    `Tokens          of the dead region at the living one: ${yes(tokens.primaryTokenAtSecondary)}; the other way round: ${yes(tokens.secondaryTokenAtPrimary)}`,
    `                shared issuer answered throughout: ${yes(tokens.issuerAnswered)}; a sign-out made meanwhile still held: ${yes(tokens.signOutSurvivedReturn)}`,
    '',
    'Requests between the kill and the return of the primary:',
    `  ${'kind'.padEnd(12)}${'sent'.padStart(8)}${'served'.padStart(8)}${'retried'.padStart(9)}${'failed'.padStart(8)}`,
    ...Object.entries(report.requests).map(
      ([kind, { sent, served, retried, failed }]) =>
        `  ${kind.padEnd(12)}${String(sent).padStart(8)}${String(served).padStart(8)}${String(retried).padStart(9)}${String(failed).padStart(8)}`,
    ),
    '',
    'Refused on the replica, as documented:',
    ...report.refused.map(
      ({ operation, error, asDocumented }) =>
        `  ${operation.padEnd(18)}${error}${asDocumented ? '' : '   (NOT as documented)'}`,
    ),
  ]
  return `${lines.join('\n')}\n`
}

const yes = (good: boolean): string => (good ? 'yes' : 'NO')
