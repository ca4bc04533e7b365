import { describeMfaConfig, setMfa } from '../../../identity/pools/mfa-settings.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const SetUserPoolMfaConfig: Handler<'SetUserPoolMfaConfig', PoolCall> = async (context, { pool }, input) => {
  await setMfa(context, pool, input)
  return describeMfaConfig(await context.pools.get(pool.id))
}
