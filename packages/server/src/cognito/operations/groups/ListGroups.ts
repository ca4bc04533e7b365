import { listGroups } from '../../../identity/users/groups.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const ListGroups: Handler<'ListGroups', PoolCall> = async (context, call, input) => {
  const { groups, token } = await listGroups(context, call, { limit: input.Limit, token: input.NextToken })
  return { Groups: groups, NextToken: token }
}
