import { deleteUser } from '../../../identity/users/administration.ts'
import type { UserCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminDeleteUser: Handler<'AdminDeleteUser', UserCall> = async (context, call) => {
  await deleteUser(context, call, call.sub)
  return undefined
}
