import { checkGate } from '../../../admission/gate.ts'
import { changeTags, getPoolByArn } from '../../../identity/pools/tags.ts'
import type { AccountCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const UntagResource: Handler<'UntagResource', AccountCall> = async (
  context,
  _call,
  { ResourceArn, TagKeys },
) => {
  const pool = await getPoolByArn(context, ResourceArn)
  checkGate(pool, 'I')
  const removed = new Set(TagKeys)
  await changeTags(context, pool, (tags) =>
    Object.fromEntries(Object.entries(tags).filter(([key]) => !removed.has(key))),
  )
  return {}
}
