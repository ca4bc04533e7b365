import { pino } from 'pino'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/**
 * One function per business event: log line, counter and audit in one call. Nothing secret and no personal value is ever
 * given to these: users are told by their `sub`.
 */
export interface Events {
  requested(request: { operation: string; pool?: string | undefined; outcome: string; milliseconds: number }): void
  signedIn(who: { pool: string; client: string; sub: string; flow: string }): void
  signInFailed(who: { pool: string; client: string; reason: string }): void
  tokensRefreshed(who: { pool: string; client: string; sub: string }): void
  signedUp(who: { pool: string; client: string; sub: string }): void
  signedOut(who: { pool: string; sub: string; how: 'user' | 'admin' | 'revocation' }): void
  failed(what: { operation: string; error: unknown; requestId: string }): void
  /** Something an operator should know; `event` is a stable word. */
  noted(event: string, details: Record<string, unknown>): void
  /** What a check of the region's health has found. */
  healthy(of: { check: string; ok: boolean }): void
  /** How far behind this region may be of a peer, in seconds on the peer's clock. */
  lag(of: { peer: string; seconds: number }): void
  /** The key service has begun not to answer: what is open stays open for `secondsLeft`. */
  keyServiceLost(of: { arn: string; cause: string; secondsLeft: number }): void
  keyServiceBack(after: { seconds: number }): void
  /** For how long the key service has not answered; 0 when it does. */
  keyServiceOutage(of: { seconds: number }): void
  /** The key service does not let a key be used, so the pools under it stand still. */
  keyRefused(of: { arn: string; reason: string }): void
  readonly registry: Registry
}

export function createEvents({
  region,
  level = 'info',
  destination,
}: {
  region: string
  level?: string
  destination?: { write(line: string): void }
}): Events {
  const log = pino({ level, base: { region }, timestamp: pino.stdTimeFunctions.isoTime }, destination ?? process.stderr)
  const registry = new Registry()
  registry.setDefaultLabels({ region })
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const requests = new Counter({
    name: 'twinpool_requests_total',
    help: 'Calls of the user pools API, by operation and outcome',
    labelNames: ['operation', 'outcome'],
    registers,
  })
  const duration = new Histogram({
    name: 'twinpool_request_seconds',
    help: 'Time from request to answer',
    labelNames: ['operation'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  })
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `twinpool_${name}_total`, help, labelNames, registers })
  const signIns = counter('sign_ins', 'Completed sign-ins', ['flow'])
  const signInFailures = counter('sign_in_failures', 'Refused sign-ins', ['reason'])
  const refreshes = counter('token_refreshes', 'Refreshes of tokens')
  const signUps = counter('sign_ups', 'Users who signed up')
  const signOuts = counter('sign_outs', 'Sign-outs and revocations', ['how'])
  const notes = counter('events', 'Events an operator should know', ['event'])
  const lag = new Gauge({
    name: 'twinpool_replication_lag_seconds',
    help: 'What would be lost if the peer were lost now, in seconds on its clock',
    labelNames: ['peer'],
    registers,
  })

  const health = new Gauge({
    name: 'twinpool_healthy',
    help: 'Whether a check of the health of the region finds nothing wrong: 1, or 0',
    labelNames: ['check'],
    registers,
  })
  const keyServiceOutage = new Gauge({
    name: 'twinpool_key_service_outage_seconds',
    help: 'For how long the key service has not answered; 0 when it does',
    registers,
  })

  return {
    registry,
    requested: ({ operation, outcome, milliseconds }) => {
      requests.inc({ operation, outcome })
      duration.observe({ operation }, milliseconds / 1000)
    },
    signedIn: (who) => {
      signIns.inc({ flow: who.flow })
      log.info(who, 'signed in')
    },
    signInFailed: (who) => {
      signInFailures.inc({ reason: who.reason })
      log.info(who, 'sign-in refused')
    },
    tokensRefreshed: (who) => {
      refreshes.inc()
      log.debug(who, 'tokens refreshed')
    },
    signedUp: (who) => {
      signUps.inc()
      log.info(who, 'signed up')
    },
    signedOut: (who) => {
      signOuts.inc({ how: who.how })
      log.info(who, 'signed out')
    },
    failed: ({ operation, error, requestId }) => log.error({ operation, requestId, err: error }, 'a request failed'),
    noted: (event, details) => {
      notes.inc({ event })
      log.info({ event, ...details }, event)
    },
    healthy: ({ check, ok }) => health.set({ check }, ok ? 1 : 0),
    lag: ({ peer, seconds }) => lag.set({ peer }, seconds),
    keyServiceLost: (of) => {
      notes.inc({ event: 'key-service-lost' })
      log.error({ event: 'key-service-lost', ...of }, 'the key service does not answer')
    },
    keyServiceBack: (after) => {
      notes.inc({ event: 'key-service-back' })
      log.info({ event: 'key-service-back', ...after }, 'the key service answers again')
    },
    keyServiceOutage: ({ seconds }) => keyServiceOutage.set(seconds),
    keyRefused: (of) => {
      notes.inc({ event: 'key-refused' })
      log.error({ event: 'key-refused', ...of }, 'the key service does not let a key be used')
    },
  }
}
