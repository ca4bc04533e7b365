import { hostname } from 'node:os'
import { pino } from 'pino'
import type { Registry } from 'prom-client'
import { type AuditSettings, openAudit } from './audit.ts'
import { catalogue, type EventId } from './catalogue.ts'
import { createMetrics } from './metrics.ts'
import { currentRequest } from './request-scope.ts'

/**
 * One function per business event: log line, counter and audit record in one call. Callers in all folders call the function and
 * never the logger. Each log line has an `event` of the catalogue, which also decides its level, and the request that caused it.
 * Arguments never contain secrets or personal data: users are identified by their `sub`.
 */
export interface Events {
  /**
   * `caller`: for operations that must be signed; its access key id is undefined if the signature was refused. `refusedSignIn`: for a
   * refused call of a sign-in; its client, which may not exist, is undefined if the call was refused before its input was checked.
   */
  requested(request: {
    operation: string
    pool?: string | undefined
    outcome: string
    milliseconds: number
    caller?: { accessKeyId: string | undefined } | undefined
    refusedSignIn?: { client: string | undefined } | undefined
  }): void
  signedIn(signIn: { pool: string; client: string; sub: string; flow: string }): void
  tokensRefreshed(refresh: { pool: string; client: string; sub: string }): void
  signedUp(signUp: { pool: string; client: string; sub: string }): void
  signedOut(signOut: { pool: string; sub: string; how: 'user' | 'admin' | 'revocation' }): void
  /** `requestId`: '' for work in the background. */
  failed(failure: { operation: string; error: unknown; requestId: string }): void
  /** Any other event that an operator should know about. */
  noted(event: EventId, details: Record<string, unknown>): void
  /** The result of a health check. */
  healthy(result: { check: string; ok: boolean }): void
  /** How long committed changes for a peer have waited for an older transaction of the database server; 0 if none wait. */
  feedHeld(hold: { peer: string; seconds: number }): void
  /** The state of the link to a peer, and the lag behind it. */
  link(link: { peer: string; connected: boolean; lagSeconds: number }): void
  /** How far a peer's clock is ahead of that of this process, give or take the uncertainty. */
  clockMeasured(measurement: { peer: string; aheadSeconds: number; uncertaintySeconds: number }): void
  /** The changes that a peer has not acknowledged. */
  backlog(backlog: { peer: string; changes: number; seconds: number }): void
  /** The limits of `backlog`. */
  retention(limits: { changes: number; seconds: number }): void
  /** The use of a resource that has a limit. */
  resource(use: ResourceUse): void
  /** The certificate that the region presents, when it is loaded. `expiresAt`: ms since the epoch. */
  certificateLoaded(certificate: { expiresAt: number }): void
  /** How many replicas of this region cannot be opened, because their key is missing, disabled or deleted here. */
  closedReplicas(count: number): void
  /** How many pools have a replica here and a primary that does not know them. */
  orphanedPools(count: number): void
  /** The key service has stopped responding; data keys that are already unwrapped stay usable for `secondsLeft`. */
  keyServiceLost(outage: { arn: string; cause: string; secondsLeft: number }): void
  /** The key service responds again, after an outage of `seconds`. */
  keyServiceBack(outage: { seconds: number }): void
  /** Duration of the current outage of the key service; 0 if there is none. */
  keyServiceOutage(outage: { seconds: number }): void
  /** The key service refuses the use of a key, so the pools under that key cannot be used. */
  keyRefused(refusal: { arn: string; reason: string }): void
  /** The configuration was not read again, because it has mistakes; the present one stays in effect. */
  reloadFailed(failure: { why: string }): void
  /** Changes the lowest level that is logged. */
  setLevel(level: string): void
  readonly registry: Registry
  /** Why audit records cannot be written at the moment; undefined if they can, or if there is no audit file. */
  auditProblem(): string | undefined
  /** The memory that waiting audit records take; undefined without an audit file. */
  auditQueue(): ResourceUse | undefined
  /** Opens the audit file again, under the name that was configured: after logrotate has renamed it. Never rejects. */
  reopen(): Promise<void>
  /** Writes the audit records that wait. Never rejects. */
  close(): Promise<void>
}

export interface ResourceUse {
  resource: string
  used: number
  limit: number
  /** Work that waits for the resource. */
  waiting?: number
}

/** @throws the error of the file system if the audit file cannot be opened */
export function createEvents({
  region,
  level = 'info',
  destination,
  audit: auditSettings,
}: {
  region: string
  level?: string
  destination?: { write(line: string): void }
  audit?: AuditSettings | undefined
}): Events {
  /** Distinguishes the processes of a region. */
  const instance = `${hostname()}:${process.pid}`
  const log = pino(
    {
      level,
      base: { region, instance },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: () => {
        const request = currentRequest()
        return request ? { requestId: request.requestId, address: request.address } : {}
      },
    },
    destination ?? process.stderr,
  )
  const metrics = createMetrics(region)

  const write = (event: EventId, details: object, message: string = event): void =>
    log[catalogue[event].level]({ event, ...details }, message)
  const count = (event: EventId, details: object, message?: string): void => {
    metrics.events.inc({ event })
    write(event, details, message)
  }

  const audit = auditSettings
    ? openAudit(auditSettings, {
        base: { region, instance },
        recorded: () => metrics.auditRecords.inc(),
        dropped: () => metrics.auditDropped.inc(),
        lost: (why) => count('audit-lost', { why }),
        back: (dropped) => count('audit-back', { dropped }),
      })
    : undefined

  return {
    registry: metrics.registry,
    requested: ({ operation, pool, outcome, milliseconds, caller, refusedSignIn }) => {
      metrics.requests.inc({ operation, outcome })
      metrics.duration.observe({ operation }, milliseconds / 1000)
      if (caller) audit?.called({ operation, accessKeyId: caller.accessKeyId, pool, outcome })
      if (!refusedSignIn) return
      const { client } = refusedSignIn
      metrics.signInFailures.inc({ reason: outcome })
      audit?.signInRefused({ pool, client, reason: outcome })
      // A limit must cost less than the calls that it refuses, so they have no log line: the event `overloaded` reports them.
      if (client === undefined || outcome === 'TooManyRequestsException') return
      write('sign-in-refused', { pool, client, reason: outcome }, 'sign-in refused')
    },
    signedIn: (signIn) => {
      metrics.signIns.inc({ flow: signIn.flow })
      write('signed-in', signIn, 'signed in')
    },
    tokensRefreshed: (refresh) => {
      metrics.refreshes.inc()
      write('tokens-refreshed', refresh, 'tokens refreshed')
    },
    signedUp: (signUp) => {
      metrics.signUps.inc()
      write('signed-up', signUp, 'signed up')
    },
    signedOut: (signOut) => {
      metrics.signOuts.inc({ how: signOut.how })
      write('signed-out', signOut, 'signed out')
    },
    failed: ({ operation, error, requestId }) => {
      if (requestId === '') count('task-failed', { operation, err: error }, 'work in the background failed')
      else count('request-failed', { operation, requestId, err: error }, 'a request failed')
    },
    noted: count,
    closedReplicas: (count) => metrics.closedReplicas.set(count),
    orphanedPools: (count) => metrics.orphanedPools.set(count),
    healthy: ({ check, ok }) => metrics.health.set({ check }, ok ? 1 : 0),
    link: ({ peer, connected, lagSeconds }) => {
      metrics.connected.set({ peer }, connected ? 1 : 0)
      metrics.lag.set({ peer }, lagSeconds)
    },
    clockMeasured: ({ peer, aheadSeconds, uncertaintySeconds }) => {
      metrics.clockSkew.set({ peer }, aheadSeconds)
      metrics.clockSkewUncertainty.set({ peer }, uncertaintySeconds)
    },
    feedHeld: ({ peer, seconds }) => metrics.feedHeld.set({ peer }, seconds),
    backlog: ({ peer, changes, seconds }) => {
      metrics.backlogChanges.set({ peer }, changes)
      metrics.backlogSeconds.set({ peer }, seconds)
    },
    retention: ({ changes, seconds }) => {
      metrics.backlogLimits.changes.set(changes)
      metrics.backlogLimits.seconds.set(seconds)
    },
    reloadFailed: (failure) => count('reload-failed', failure, 'the configuration was not reloaded'),
    setLevel: (next) => {
      log.level = next
    },
    resource: ({ resource, used, limit, waiting }) => {
      metrics.resourceUse.set({ resource }, used)
      metrics.resourceLimit.set({ resource }, limit)
      if (waiting !== undefined) metrics.resourceWaiting.set({ resource }, waiting)
    },
    certificateLoaded: ({ expiresAt }) => metrics.certificateExpiry.set({ listener: 'api' }, expiresAt / 1_000),
    keyServiceLost: (outage) => count('key-service-lost', outage, 'the key service does not respond'),
    keyServiceBack: (outage) => count('key-service-back', outage, 'the key service responds again'),
    keyServiceOutage: ({ seconds }) => metrics.keyServiceOutage.set(seconds),
    keyRefused: (refusal) => count('key-refused', refusal, 'the key service refuses the use of a key'),
    auditProblem: () => audit?.problem(),
    auditQueue: () => audit?.queue(),
    reopen: async () => audit?.reopen(),
    close: async () => audit?.close(),
  }
}
