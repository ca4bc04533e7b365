import { confirmByAdministrator } from '../../../identity/sign-up.ts'
import { getUser } from '../../../identity/user.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminConfirmSignUp: Handler<'AdminConfirmSignUp', PoolCall> = async (context, call, input) => {
  const { sub } = await getUser(context.store, call, input.Username)
  await confirmByAdministrator(context, call, sub)
  return {}
}
