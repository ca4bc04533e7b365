import { describeReplica, setReplicaStatus } from '../../../identity/pools/replicas.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const UpdateUserPoolReplica: Handler<'UpdateUserPoolReplica', PoolCall> = async (
  context,
  { pool },
  { RegionName: region, Status: status },
) => {
  const replica = await setReplicaStatus(context, pool, { region, status })
  return { UserPoolReplica: describeReplica(context, pool.id, replica) }
}
