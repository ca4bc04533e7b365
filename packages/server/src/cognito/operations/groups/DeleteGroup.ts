import { deleteGroup } from '../../../identity/users/group-removal.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const DeleteGroup: Handler<'DeleteGroup', PoolCall> = async (context, call, input) => {
  await deleteGroup(context, call, input.GroupName)
  return undefined
}
