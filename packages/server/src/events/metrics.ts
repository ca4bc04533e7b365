import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import manifest from '../../package.json' with { type: 'json' }
import { catalogue, eventIds } from './catalogue.ts'

/** Gauges of Node's counts of objects: they have the suffix `_total`, which Prometheus reserves for counters. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

export type Metrics = ReturnType<typeof createMetrics>

/** All metrics of a region. Operators depend on names and labels, so these stay as they are. */
export function createMetrics(region: string) {
  const registry = new Registry()
  registry.setDefaultLabels({ region })
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
  const registers = [registry]
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `twinpool_${name}_total`, help, labelNames, registers })
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `twinpool_${name}`, help, labelNames, registers })

  const events = counter('events', 'Events that an operator should know about (docs/troubleshooting.md)', ['event'])
  // From 0 on, so that the first warning is an increase.
  for (const event of eventIds) {
    if (catalogue[event].level === 'warn' || catalogue[event].level === 'error') events.inc({ event }, 0)
  }
  gauge('build_info', 'Version of Twinpool and of Node; always 1', ['version', 'node']).set(
    { version: manifest.version, node: process.versions.node },
    1,
  )

  return {
    registry,
    events,
    requests: counter('requests', 'Calls of the user pools API, by operation and outcome', ['operation', 'outcome']),
    duration: new Histogram({
      name: 'twinpool_request_seconds',
      help: 'Time from request to response',
      labelNames: ['operation'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    signIns: counter('sign_ins', 'Completed sign-ins', ['flow']),
    signInFailures: counter('sign_in_failures', 'Refused sign-ins', ['reason']),
    refreshes: counter('token_refreshes', 'Token refreshes'),
    signUps: counter('sign_ups', 'Users who signed up'),
    signOuts: counter('sign_outs', 'Sign-outs and revocations', ['how']),
    auditRecords: counter('audit_records', 'Audit records, including the dropped ones'),
    auditDropped: counter('audit_dropped', 'Audit records that were dropped because the file could not be written'),
    connected: gauge('peer_connected', 'Whether this region receives the changes of the peer: 1 or 0', ['peer']),
    lag: gauge(
      'replication_lag_seconds',
      'Changes that would be lost if the peer were lost now, in seconds; grows while the link is down',
      ['peer'],
    ),
    clockSkew: gauge(
      'clock_skew_seconds',
      "The peer's clock minus that of this process, as last measured; negative if the peer's clock is behind, absent until measured",
      ['peer'],
    ),
    clockSkewUncertainty: gauge(
      'clock_skew_uncertainty_seconds',
      'Largest possible error of twinpool_clock_skew_seconds: half of the duration of the request that measured it',
      ['peer'],
    ),
    backlogChanges: gauge('replication_backlog_changes', 'Entries of the log that the peer has not acknowledged', [
      'peer',
    ]),
    backlogSeconds: gauge('replication_backlog_seconds', 'Age of the oldest entry that the peer has not acknowledged', [
      'peer',
    ]),
    feedHeld: gauge(
      'feed_held_seconds',
      'How long committed changes for the peer have waited for an older transaction of the database server; 0 if none wait',
      ['peer'],
    ),
    backlogLimits: {
      changes: gauge('replication_retention_changes', 'Limit of twinpool_replication_backlog_changes'),
      seconds: gauge('replication_retention_seconds', 'Limit of twinpool_replication_backlog_seconds'),
    },
    resourceUse: gauge('resource_in_use', 'Use of a limited resource of this process', ['resource']),
    resourceLimit: gauge('resource_limit', 'Limit of a resource of this process', ['resource']),
    resourceWaiting: gauge('resource_waiting', 'Calls that wait for a resource of this process', ['resource']),
    health: gauge('healthy', 'Result of a health check of the region: 1 if it passes, else 0', ['check']),
    closedReplicas: gauge(
      'replicas_without_key',
      'Replicas of this region that cannot be opened: their key is missing, disabled or deleted here',
    ),
    orphanedPools: gauge('orphaned_pools', 'Pools with a replica in this region whose primary does not know them'),
    certificateExpiry: gauge(
      'certificate_expiry_timestamp_seconds',
      'End of validity of the TLS certificate, Unix time',
      ['listener'],
    ),
    keyServiceOutage: gauge(
      'key_service_outage_seconds',
      'Duration of the current outage of the key service; 0 if there is none',
    ),
  }
}
