import { resetByAdministrator } from '../../../identity/credentials/recovery.ts'
import type { UserCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminResetUserPassword: Handler<'AdminResetUserPassword', UserCall> = async (context, call) => {
  await resetByAdministrator(context, call, call.sub)
  return {}
}
