import { pino } from 'pino'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/**
 * One function per business event: log line, counter and audit record in one call. `createEvents` has the log lines and metrics
 * of each event; callers in all folders call the function and never the logger. Operators depend on metric names, labels and
 * event words, so these stay as they are. Arguments never contain secrets or personal data: users are identified by their `sub`.
 */
export interface Events {
  requested(request: { operation: string; pool?: string | undefined; outcome: string; milliseconds: number }): void
  signedIn(signIn: { pool: string; client: string; sub: string; flow: string }): void
  signInFailed(signIn: { pool: string; client: string; reason: string }): void
  tokensRefreshed(refresh: { pool: string; client: string; sub: string }): void
  signedUp(signUp: { pool: string; client: string; sub: string }): void
  signedOut(signOut: { pool: string; sub: string; how: 'user' | 'admin' | 'revocation' }): void
  failed(failure: { operation: string; error: unknown; requestId: string }): void
  /** Any other event that an operator should know about; `event` is a stable word. */
  noted(event: string, details: Record<string, unknown>): void
  /** The result of a health check. */
  healthy(result: { check: string; ok: boolean }): void
  /** Maximum replication lag behind a peer, in seconds on the peer's clock. */
  lag(lag: { peer: string; seconds: number }): void
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
    help: 'Time from request to response',
    labelNames: ['operation'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  })
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `twinpool_${name}_total`, help, labelNames, registers })
  const signIns = counter('sign_ins', 'Completed sign-ins', ['flow'])
  const signInFailures = counter('sign_in_failures', 'Refused sign-ins', ['reason'])
  const refreshes = counter('token_refreshes', 'Token refreshes')
  const signUps = counter('sign_ups', 'Users who signed up')
  const signOuts = counter('sign_outs', 'Sign-outs and revocations', ['how'])
  const notes = counter('events', 'Events that an operator should know about', ['event'])
  const lag = new Gauge({
    name: 'twinpool_replication_lag_seconds',
    help: 'Changes that would be lost if the peer were lost now, in seconds on its clock',
    labelNames: ['peer'],
    registers,
  })

  const health = new Gauge({
    name: 'twinpool_healthy',
    help: 'Result of a health check of the region: 1 if it passes, else 0',
    labelNames: ['check'],
    registers,
  })
  const keyServiceOutage = new Gauge({
    name: 'twinpool_key_service_outage_seconds',
    help: 'Duration of the current outage of the key service; 0 if there is none',
    registers,
  })

  return {
    registry,
    requested: ({ operation, outcome, milliseconds }) => {
      requests.inc({ operation, outcome })
      duration.observe({ operation }, milliseconds / 1000)
    },
    signedIn: (signIn) => {
      signIns.inc({ flow: signIn.flow })
      log.info(signIn, 'signed in')
    },
    signInFailed: (signIn) => {
      signInFailures.inc({ reason: signIn.reason })
      log.info(signIn, 'sign-in refused')
    },
    tokensRefreshed: (refresh) => {
      refreshes.inc()
      log.debug(refresh, 'tokens refreshed')
    },
    signedUp: (signUp) => {
      signUps.inc()
      log.info(signUp, 'signed up')
    },
    signedOut: (signOut) => {
      signOuts.inc({ how: signOut.how })
      log.info(signOut, 'signed out')
    },
    failed: ({ operation, error, requestId }) => log.error({ operation, requestId, err: error }, 'a request failed'),
    noted: (event, details) => {
      notes.inc({ event })
      log.info({ event, ...details }, event)
    },
    healthy: ({ check, ok }) => health.set({ check }, ok ? 1 : 0),
    lag: ({ peer, seconds }) => lag.set({ peer }, seconds),
    keyServiceLost: (outage) => {
      notes.inc({ event: 'key-service-lost' })
      log.error({ event: 'key-service-lost', ...outage }, 'the key service does not respond')
    },
    keyServiceBack: (outage) => {
      notes.inc({ event: 'key-service-back' })
      log.info({ event: 'key-service-back', ...outage }, 'the key service responds again')
    },
    keyServiceOutage: ({ seconds }) => keyServiceOutage.set(seconds),
    keyRefused: (refusal) => {
      notes.inc({ event: 'key-refused' })
      log.error({ event: 'key-refused', ...refusal }, 'the key service refuses the use of a key')
    },
    reloadFailed: (failure) => {
      notes.inc({ event: 'reload-failed' })
      log.error({ event: 'reload-failed', ...failure }, 'the configuration was not reloaded')
    },
    setLevel: (next) => {
      log.level = next
    },
  }
}
