import { getUser } from '../../../directory/user.ts'
import { resetByAdministrator } from '../../../identity/credentials/recovery.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminResetUserPassword: Handler<'AdminResetUserPassword', PoolCall> = async (context, call, input) => {
  const { sub } = await getUser(context.store, call, input.Username)
  await resetByAdministrator(context, call, sub)
  return {}
}
