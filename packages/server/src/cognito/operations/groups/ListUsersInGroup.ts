import { describeUser } from '../../../identity/users/description.ts'
import { listMembers } from '../../../identity/users/groups.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const ListUsersInGroup: Handler<'ListUsersInGroup', PoolCall> = async (context, call, input) => {
  const { users, token } = await listMembers(context, call, input.GroupName, {
    limit: input.Limit,
    token: input.NextToken,
  })
  return { Users: users.map((user) => describeUser(user)), NextToken: token }
}
