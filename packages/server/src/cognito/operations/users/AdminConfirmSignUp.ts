import { confirmByAdministrator } from '../../../identity/users/sign-up.ts'
import type { UserCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminConfirmSignUp: Handler<'AdminConfirmSignUp', UserCall> = async (context, call) => {
  await confirmByAdministrator(context, call, call.sub)
  return {}
}
