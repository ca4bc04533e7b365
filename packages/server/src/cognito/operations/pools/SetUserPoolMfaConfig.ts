import { getOpenPool } from '../../../directory/pool.ts'
import { describeMfaConfig, setMfa } from '../../../identity/pools/mfa-settings.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const SetUserPoolMfaConfig: Handler<'SetUserPoolMfaConfig', PoolCall> = async (context, call, input) => {
  await setMfa(context, call, input)
  return describeMfaConfig((await getOpenPool(context, call.pool.id)).pool)
}
