import { openPageToken } from '../../../identity/page-token.ts'
import { replicaTypes } from '../../../identity/pools/replicas.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

/** One page always suffices, so no token was ever given out. */
export const ListUserPoolReplicas: Handler<'ListUserPoolReplicas', PoolCall> = async (
  context,
  { pool, cipher },
  { NextToken: token },
) => {
  openPageToken(context, { pool, cipher }, { list: ['ListUserPoolReplicas'], token })
  return { UserPoolReplicas: replicaTypes(context, pool) }
}
