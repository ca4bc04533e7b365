import { listPools } from '../../../identity/pools/listing.ts'
import type { AccountCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const ListUserPools: Handler<'ListUserPools', AccountCall> = async (context, _call, input) => {
  const { pools, next } = await listPools(context, { limit: input.MaxResults, token: input.NextToken })
  return {
    UserPools: pools.map(({ id, document, settings, replicas }) => ({
      Id: id,
      Name: document.Name,
      LambdaConfig: settings.LambdaConfig ?? {},
      ReplicaRegions: replicas.map(({ region }) => region),
      CreationDate: new Date(document.created),
      LastModifiedDate: new Date(Math.max(document.modified, settings.modified ?? 0)),
    })),
    NextToken: next,
  }
}
