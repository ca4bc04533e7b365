import { checkGate } from '../../../admission/gate.ts'
import { getPoolByArn } from '../../../identity/pools/tags.ts'
import type { AccountCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const ListTagsForResource: Handler<'ListTagsForResource', AccountCall> = async (
  context,
  _call,
  { ResourceArn },
) => {
  const pool = await getPoolByArn(context, ResourceArn)
  checkGate(pool, 'I')
  return { Tags: pool.settings.UserPoolTags ?? {} }
}
