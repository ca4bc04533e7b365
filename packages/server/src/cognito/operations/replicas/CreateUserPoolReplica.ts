import { createReplica, describeReplica } from '../../../identity/pools/replicas.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const CreateUserPoolReplica: Handler<'CreateUserPoolReplica', PoolCall> = async (
  context,
  call,
  { RegionName: region, UserPoolTags: tags },
) => {
  const replica = await createReplica(context, call, { region, tags })
  return { UserPoolReplica: describeReplica(context, call.pool.id, replica) }
}
