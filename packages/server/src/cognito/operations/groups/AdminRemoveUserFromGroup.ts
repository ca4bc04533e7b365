import { getUser } from '../../../directory/user.ts'
import { removeMember } from '../../../identity/users/groups.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminRemoveUserFromGroup: Handler<'AdminRemoveUserFromGroup', PoolCall> = async (context, call, input) => {
  const { sub } = await getUser(context.store, call, input.Username)
  await removeMember(context, call, { group: input.GroupName, sub })
  return undefined
}
