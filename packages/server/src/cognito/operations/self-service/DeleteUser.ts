import { deleteUser } from '../../../identity/users/administration.ts'
import type { TokenCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const DeleteUser: Handler<'DeleteUser', TokenCall> = async (context, call) => {
  await deleteUser(context, call, call.user.sub)
  return undefined
}
