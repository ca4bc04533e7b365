import type { Context } from '../context.ts'

export interface Health {
  status: 'ok' | 'failing'
  region: string
  checks: Record<string, { ok: boolean; detail?: string }>
}

const CHECK_TIMEOUT_MILLISECONDS = 2_000

/**
 * Checks every dependency of a sign-in and reports the results.
 *
 * @param load the reason of the last overload, if recent. An overloaded region still counts as healthy: taking it out of service
 * would only move its load to the other regions.
 */
export async function checkHealth(
  { region, store, keyProvider, serviceKeyArn }: Pick<Context, 'region' | 'store' | 'keyProvider' | 'serviceKeyArn'>,
  load: string | undefined,
): Promise<Health> {
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
  }
  const ok = Object.values(checks).every((check) => check.ok)
  return { status: ok ? 'ok' : 'failing', region, checks }
}

/** A region that stops fails its check at once, so that load balancers send new calls elsewhere while the present ones complete. */
export const stoppingHealth = ({ region }: Pick<Context, 'region'>): Health => ({
  status: 'failing',
  region,
  checks: { process: { ok: false, detail: 'the region is stopping' } },
})

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
