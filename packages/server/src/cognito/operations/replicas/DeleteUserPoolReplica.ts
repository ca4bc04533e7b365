import { deleteReplica, describeReplica } from '../../../identity/pools/replicas.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const DeleteUserPoolReplica: Handler<'DeleteUserPoolReplica', PoolCall> = async (
  context,
  { pool },
  { RegionName: region },
) => {
  const replica = await deleteReplica(context, pool, region)
  return { UserPoolReplica: describeReplica(context, pool.id, replica) }
}
