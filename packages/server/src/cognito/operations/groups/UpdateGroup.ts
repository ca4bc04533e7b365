import { updateGroup } from '../../../identity/users/groups.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const UpdateGroup: Handler<'UpdateGroup', PoolCall> = async (context, call, input) => {
  const { GroupName, Description, RoleArn, Precedence } = input
  return { Group: await updateGroup(context, call, GroupName, { Description, RoleArn, Precedence }) }
}
