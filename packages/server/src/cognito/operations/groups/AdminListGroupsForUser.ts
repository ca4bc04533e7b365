import { getUser } from '../../../directory/user.ts'
import { listGroupsOf } from '../../../identity/users/groups.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminListGroupsForUser: Handler<'AdminListGroupsForUser', PoolCall> = async (context, call, input) => {
  const { sub } = await getUser(context.store, call, input.Username)
  const { groups, token } = await listGroupsOf(context, call, sub, { limit: input.Limit, token: input.NextToken })
  return { Groups: groups, NextToken: token }
}
