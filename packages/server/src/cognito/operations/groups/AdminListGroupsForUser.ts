import { listGroupsOf } from '../../../identity/users/groups.ts'
import type { UserCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminListGroupsForUser: Handler<'AdminListGroupsForUser', UserCall> = async (context, call, input) => {
  const { groups, token } = await listGroupsOf(context, call, call.sub, { limit: input.Limit, token: input.NextToken })
  return { Groups: groups, NextToken: token }
}
