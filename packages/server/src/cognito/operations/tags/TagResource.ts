import { checkGate } from '../../../admission/gate.ts'
import { changeTags, getPoolByArn } from '../../../identity/pools/tags.ts'
import type { AccountCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const TagResource: Handler<'TagResource', AccountCall> = async (context, _call, { ResourceArn, Tags }) => {
  const pool = await getPoolByArn(context, ResourceArn)
  checkGate(pool, 'I')
  await changeTags(context, pool, (tags) => ({ ...tags, ...Tags }))
  return {}
}
