import { setPasswordOf } from '../../../identity/administration.ts'
import { getUser } from '../../../identity/user.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminSetUserPassword: Handler<'AdminSetUserPassword', PoolCall> = async (context, call, input) => {
  const { sub } = await getUser(context.store, call, input.Username)
  await setPasswordOf(context, call, { sub, password: input.Password, permanent: input.Permanent ?? false })
  return {}
}
