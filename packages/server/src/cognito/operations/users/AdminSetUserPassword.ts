import { getUser } from '../../../directory/user.ts'
import { setPasswordOf } from '../../../identity/users/administration.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminSetUserPassword: Handler<'AdminSetUserPassword', PoolCall> = async (context, call, input) => {
  const { sub } = await getUser(context.store, call, input.Username)
  await setPasswordOf(context, call, { sub, password: input.Password, permanent: input.Permanent ?? false })
  return {}
}
