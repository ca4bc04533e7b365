import { deletePool } from '../../../identity/pools/deletion.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const DeleteUserPool: Handler<'DeleteUserPool', PoolCall> = async (context, call) => {
  await deletePool(context, call)
  return undefined
}
