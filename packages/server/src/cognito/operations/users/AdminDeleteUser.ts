import { getUser } from '../../../directory/user.ts'
import { deleteUser } from '../../../identity/users/administration.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminDeleteUser: Handler<'AdminDeleteUser', PoolCall> = async (context, call, input) => {
  const { sub } = await getUser(context.store, call, input.Username)
  await deleteUser(context, call, sub)
  return undefined
}
