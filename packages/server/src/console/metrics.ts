import type { Context } from '../context.ts'
import type { ResourceUse } from '../events/events.ts'
import type { Replication } from '../replication/replication.ts'
import { checkHealth, type HealthSources, inTime } from './health.ts'

export interface MetricsSources extends HealthSources {
  replication: Pick<Replication, 'links' | 'backlogs' | 'closedReplicas' | 'skewedClocks'>
  /** The use of resources of this process that have a limit. */
  resources(): ResourceUse[]
}

/** The metrics as Prometheus text. Values that change with time are read now. */
export async function readMetrics(
  context: Pick<Context, 'region' | 'store' | 'keyProvider' | 'serviceKeyArn' | 'events'>,
  sources: MetricsSources,
): Promise<string> {
  const { events } = context
  const [{ checks }, backlogs] = await Promise.all([
    checkHealth(context, sources),
    // Unknown while the store does not respond: the last values stay.
    inTime(() => sources.replication.backlogs()).catch(() => []),
  ])
  for (const [check, { ok }] of Object.entries(checks)) events.healthy({ check, ok })
  for (const { peer, connected, lagSeconds } of sources.replication.links())
    events.link({ peer, connected, lagSeconds })
  for (const backlog of backlogs) events.backlog(backlog)
  const audit = events.auditQueue()
  for (const use of [...sources.resources(), ...(audit ? [audit] : [])]) events.resource(use)
  return events.registry.metrics()
}
