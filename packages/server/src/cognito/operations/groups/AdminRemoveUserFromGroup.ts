import { removeMember } from '../../../identity/groups.ts'
import { getUser } from '../../../identity/user.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminRemoveUserFromGroup: Handler<'AdminRemoveUserFromGroup', PoolCall> = async (context, call, input) => {
  const { sub } = await getUser(context.store, call, input.Username)
  await removeMember(context, call, { group: input.GroupName, sub })
  return undefined
}
