import { getUser } from '../../../directory/user.ts'
import { confirmByAdministrator } from '../../../identity/users/sign-up.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminConfirmSignUp: Handler<'AdminConfirmSignUp', PoolCall> = async (context, call, input) => {
  const { sub } = await getUser(context.store, call, input.Username)
  await confirmByAdministrator(context, call, sub)
  return {}
}
