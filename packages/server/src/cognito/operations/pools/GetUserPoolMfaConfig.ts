import { describeMfaConfig } from '../../../identity/pools/mfa-settings.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const GetUserPoolMfaConfig: Handler<'GetUserPoolMfaConfig', PoolCall> = async (_context, { pool }) =>
  describeMfaConfig(pool)
