import { getUser } from '../../../directory/user.ts'
import { addMember } from '../../../identity/users/groups.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminAddUserToGroup: Handler<'AdminAddUserToGroup', PoolCall> = async (context, call, input) => {
  const { sub } = await getUser(context.store, call, input.Username)
  await addMember(context, call, { group: input.GroupName, sub })
  return undefined
}
