import type { Overload } from '../admission/overload.ts'
import type { Context } from '../context.ts'
import type { ClockSkew } from '../replication/clock-skew.ts'
import type { Replication } from '../replication/replication.ts'
import type { LinkState } from '../replication/status.ts'

export interface Health {
  /** `degraded`: the region serves, but something needs an operator. */
  status: 'ok' | 'degraded' | 'failing'
  region: string
  checks: Record<string, { ok: boolean; detail?: string }>
}

const CHECK_TIMEOUT_MILLISECONDS = 2_000

export interface HealthSources {
  overload: Pick<Overload, 'recent'>
  replication: Pick<Replication, 'links' | 'closedReplicas' | 'skewedClocks'>
  isStopping: () => boolean
}

/** Checks that a sign-in does not need: the region stays in service when they fail. */
const SIDE_CHECKS = new Set(['replication', 'audit'])

/**
 * Checks every dependency of a sign-in, the links to peers and their clocks, and the audit file. A recent overload and replicas that
 * cannot be opened are reported, but the region counts as healthy: taking it out of service would move the load to the other regions,
 * and stop its other pools.
 */
export async function checkHealth(
  {
    region,
    store,
    keyProvider,
    serviceKeyArn,
    events,
  }: Pick<Context, 'region' | 'store' | 'keyProvider' | 'serviceKeyArn' | 'events'>,
  { overload, replication }: HealthSources,
): Promise<Health> {
  const load = overload.recent()
  const [storeCheck, keysCheck] = await Promise.all([
    attempt(() => store.check().then(() => undefined)),
    attempt(async () => {
      const key = await keyProvider.find(serviceKeyArn)
      if (!key?.enabled) throw new Error('the service key is disabled or deleted')
      const outage = keyProvider.outage?.()
      if (!outage) return undefined
      const { cause, seconds, secondsLeft } = outage
      return `the key service has not responded for ${seconds} s (${cause}); data keys in memory stay usable for ${secondsLeft} s`
    }),
  ])
  const checks: Health['checks'] = {
    store: storeCheck,
    keys: keysCheck,
    load: { ok: true, ...(load !== undefined && { detail: load }) },
    replication: checkReplication(replication.links(), replication.skewedClocks()),
    replicas: checkReplicas(replication.closedReplicas()),
    audit: checkAudit(events.auditProblem()),
  }
  const failed = Object.keys(checks).filter((name) => !checks[name]?.ok)
  const status = failed.length === 0 ? 'ok' : failed.every((name) => SIDE_CHECKS.has(name)) ? 'degraded' : 'failing'
  return { status, region, checks }
}

/** A region that stops fails its check at once, so that load balancers send new calls elsewhere while the present ones complete. */
export const stoppingHealth = ({ region }: Pick<Context, 'region'>): Health => ({
  status: 'failing',
  region,
  checks: { process: { ok: false, detail: 'the region is stopping' } },
})

function checkReplication(links: readonly LinkState[], skews: readonly ClockSkew[]): Health['checks'][string] {
  const lost = links.filter(({ connected }) => !connected)
  if (lost.length + skews.length === 0) return { ok: true }
  const details = [
    ...lost.map(
      ({ peer, problem, lagSeconds }) =>
        `${peer} is not connected${problem ? ` (${problem})` : ''}, the lag is ${Math.round(lagSeconds)} s`,
    ),
    ...skews.map(
      ({ peer, aheadSeconds }) =>
        `the clock of ${peer} is ${Math.abs(aheadSeconds).toFixed(1)} s ${aheadSeconds > 0 ? 'ahead' : 'behind'}`,
    ),
  ]
  return { ok: false, detail: details.join('; ') }
}

const checkReplicas = (closed: number): Health['checks'][string] => ({
  ok: true,
  ...(closed > 0 && {
    detail: `${closed} of the replicas here cannot be opened: their key is missing, disabled or deleted in this region`,
  }),
})

const checkAudit = (problem: string | undefined): Health['checks'][string] =>
  problem === undefined ? { ok: true } : { ok: false, detail: problem }

async function attempt(work: () => Promise<string | undefined>): Promise<{ ok: boolean; detail?: string }> {
  try {
    const detail = await inTime(work)
    return { ok: true, ...(detail && { detail }) }
  } catch (error) {
    return { ok: false, detail: (error as Error).message }
  }
}

/** The result of the work. Rejects if the work fails or takes longer than two seconds. */
export async function inTime<T>(work: () => Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('no response in time')), CHECK_TIMEOUT_MILLISECONDS)
  try {
    return await Promise.race([work(), promise])
  } finally {
    clearTimeout(timer)
  }
}
