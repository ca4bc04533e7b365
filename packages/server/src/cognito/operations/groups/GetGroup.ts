import { getGroup } from '../../../identity/users/groups.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const GetGroup: Handler<'GetGroup', PoolCall> = async (context, call, input) => ({
  Group: await getGroup(context, call, input.GroupName),
})
