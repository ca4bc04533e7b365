/** The result of a drill. Durations are in milliseconds. */
export interface DrillReport {
  /** True if the drill found no problems. */
  ok: boolean
  /** The problems found, one sentence each. */
  problems: string[]
  pool: string
  users: number
  primary: string
  secondary: string
  /** From the kill to the client's failover; null if it never failed over. */
  detection: number | null
  /** From the kill to the first successful sign-in, refresh or read; null if none succeeded. */
  rto: number | null
  rpo: {
    /** Lag that the replica reported just before the kill. */
    lagAtKill: number | null
    /** Acknowledged writes that are missing on the replica. */
    acknowledgedWritesMissing: number
    acknowledgedWrites: number
  }
  /** Requests from the kill to the return of the primary, per kind. */
  requests: Record<string, { sent: number; served: number; retried: number; failed: number }>
  /** Operations that the replica refuses by design, each with the error that it returned. */
  refused: { operation: string; error: string; asDocumented: boolean }[]
  /** Whether each region accepted the other region's tokens (at the primary: after its return). */
  tokens: {
    primaryTokenAtSecondary: boolean
    secondaryTokenAtPrimary: boolean
    issuerAnswered: boolean
    signOutSurvivedReturn: boolean
  }
  /** From the kill until the primary listened again. */
  outage: number
  /** From the restart of the primary until both directories were equal; null if they never were. */
  catchUp: number | null
  checksums: { primary: string; secondary: string; equal: boolean }
}

const seconds = (milliseconds: number): string =>
  milliseconds < 1_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1_000).toFixed(1)} s`

/** Renders the report as text. */
export function renderDrillReport(report: DrillReport): string {
  const { rpo, tokens, checksums } = report
  const orNever = (milliseconds: number | null): string =>
    milliseconds === null ? 'not observed' : seconds(milliseconds)
  const lines = [
    report.ok ? 'The pool survived the loss of its primary region.' : 'The drill found problems:',
    ...report.problems.map((problem) => `  - ${problem}`),
    '',
    `Pool ${report.pool}, ${report.users} users; ${report.primary} was killed, ${report.secondary} kept running.`,
    '',
    `Detection       ${orNever(report.detection)} from the kill to the client's failover`,
    `RTO             ${orNever(report.rto)} from the kill to the first successful request`,
    `RPO             ${rpo.acknowledgedWritesMissing} of ${rpo.acknowledgedWrites} acknowledged writes were missing on the replica (lag at the kill: ${orNever(rpo.lagAtKill)})`,
    `Outage          ${seconds(report.outage)}; the regions were equal ${orNever(report.catchUp)} after the restart`,
    `Directories     ${checksums.equal ? 'equal' : 'NOT EQUAL'} (${checksums.primary.slice(0, 16)} / ${checksums.secondary.slice(0, 16)})`,
    `Tokens          primary's accepted by the replica: ${yes(tokens.primaryTokenAtSecondary)}; replica's accepted by the primary: ${yes(tokens.secondaryTokenAtPrimary)}`,
    `                shared issuer responded throughout: ${yes(tokens.issuerAnswered)}; sign-out during the outage still effective: ${yes(tokens.signOutSurvivedReturn)}`,
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

const yes = (value: boolean): string => (value ? 'yes' : 'NO')
