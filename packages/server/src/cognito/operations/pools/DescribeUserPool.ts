import { describePool } from '../../../identity/pools/description.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const DescribeUserPool: Handler<'DescribeUserPool', PoolCall> = async (context, { pool }) => ({
  UserPool: await describePool(context, pool),
})
