import { createHmac, createSecretKey, hkdfSync } from 'node:crypto'
import { type Clock, systemClock } from '../clock.ts'
import { openAuditFile } from './audit-file.ts'
import type { ResourceUse } from './events.ts'
import { currentRequest } from './request-scope.ts'

export interface AuditSettings {
  file: string
  /** The secret from which the key of the pseudonyms is derived. */
  secret: string
  clock?: Pick<Clock, 'now' | 'monotonic' | 'wait'> | undefined
  /** The memory for records that wait. */
  queueBytes?: number | undefined
}

/** The audit stream of a region: JSON lines, in the schema of docs/audit.md. */
export interface Audit {
  called(call: { operation: string; accessKeyId: string | undefined; pool: string | undefined; outcome: string }): void
  signInRefused(signIn: { pool: string | undefined; client: string | undefined; reason: string }): void
  problem(): string | undefined
  queue(): ResourceUse
  reopen(): Promise<void>
  close(): Promise<void>
}

export interface AuditObserver {
  /** Members of every record. */
  base: { region: string; instance: string }
  recorded(): void
  dropped(): void
  lost(why: string): void
  back(dropped: number): void
}

const PSEUDONYM_BYTES = 16

/**
 * Opens the audit stream. Records are written in batches, in the background. A record is dropped if too many wait already: calls do
 * not fail because a disk is full (docs/decisions/observability.md).
 *
 * @throws the error of the file system if the file cannot be opened
 */
export function openAudit(
  { file, secret, clock = systemClock, queueBytes }: AuditSettings,
  { base, recorded, dropped, lost, back }: AuditObserver,
): Audit {
  // A key of the region: other regions get other pseudonyms, and all processes of the region the same.
  const key = createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `twinpool audit\n${base.region}`, 32)))
  const pseudonym = (kind: 'subject' | 'origin', value: string | undefined): string | null =>
    value
      ? createHmac('sha256', key)
          .update(`${kind}\n${value}`)
          .digest()
          .subarray(0, PSEUDONYM_BYTES)
          .toString('base64url')
      : null

  const lineOf = (event: string, members: object): string =>
    JSON.stringify({ time: new Date(clock.now()).toISOString(), event, ...base, ...members })
  const output = openAuditFile(file, {
    clock,
    queueBytes,
    gapLine: (count) => lineOf('gap', { dropped: count }),
    dropped,
    lost,
    back,
  })
  const record = (event: string, members: object): void => {
    recorded()
    output.append(lineOf(event, members))
  }

  return {
    called: ({ operation, accessKeyId, pool, outcome }) => {
      const request = currentRequest()
      record('call', {
        requestId: request?.requestId ?? null,
        operation,
        outcome,
        accessKeyId: accessKeyId ?? null,
        address: request?.address ?? null,
        origin: pseudonym('origin', request?.address),
        pool: pool ?? request?.pool ?? null,
        sub: request?.subject ?? null,
        subject: pseudonym('subject', request?.subject),
      })
    },
    signInRefused: ({ pool, client, reason }) => {
      const request = currentRequest()
      record('sign-in-refused', {
        requestId: request?.requestId ?? null,
        pool: pool ?? null,
        client: client ?? null,
        reason,
        origin: pseudonym('origin', request?.address),
        subject: pseudonym('subject', request?.subject),
      })
    },
    problem: output.problem,
    queue: output.queue,
    reopen: output.reopen,
    close: output.close,
  }
}
