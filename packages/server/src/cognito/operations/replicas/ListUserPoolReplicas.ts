import { openPageToken } from '../../../identity/page-token.ts'
import { describeReplicas } from '../../../identity/pools/replicas.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

/** All replicas fit on one page, so no NextToken is ever issued: a token in the input can only be invalid. */
export const ListUserPoolReplicas: Handler<'ListUserPoolReplicas', PoolCall> = async (
  context,
  { pool, cipher },
  { NextToken: token },
) => {
  openPageToken(context, { pool, cipher }, { list: ['ListUserPoolReplicas'], token })
  return { UserPoolReplicas: describeReplicas(context, pool) }
}
