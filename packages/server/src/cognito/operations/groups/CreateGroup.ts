import { createGroup } from '../../../identity/users/groups.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const CreateGroup: Handler<'CreateGroup', PoolCall> = async (context, call, input) => {
  const { GroupName, Description, RoleArn, Precedence } = input
  return { Group: await createGroup(context, call, GroupName, { Description, RoleArn, Precedence }) }
}
