import { updatePool } from '../../../identity/pools/update.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const UpdateUserPool: Handler<'UpdateUserPool', PoolCall> = async (context, call, input) => {
  await updatePool(context, call, input)
  return {}
}
