import { addMember } from '../../../identity/users/groups.ts'
import type { UserCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminAddUserToGroup: Handler<'AdminAddUserToGroup', UserCall> = async (context, call, input) => {
  await addMember(context, call, { group: input.GroupName, sub: call.sub })
  return undefined
}
