import { removeMember } from '../../../identity/users/groups.ts'
import type { UserCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminRemoveUserFromGroup: Handler<'AdminRemoveUserFromGroup', UserCall> = async (context, call, input) => {
  await removeMember(context, call, { group: input.GroupName, sub: call.sub })
  return undefined
}
