import { describePool } from '../../../identity/pool-type.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const DescribeUserPool: Handler<'DescribeUserPool', PoolCall> = async (context, { pool }) => ({
  UserPool: await describePool(context, pool),
})
