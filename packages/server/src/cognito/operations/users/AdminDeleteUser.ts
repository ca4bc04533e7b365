import { deleteUser } from '../../../identity/administration.ts'
import { getUser } from '../../../identity/user.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminDeleteUser: Handler<'AdminDeleteUser', PoolCall> = async (context, call, input) => {
  const { sub } = await getUser(context.store, call, input.Username)
  await deleteUser(context, call, sub)
  return undefined
}
