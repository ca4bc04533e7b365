import { clientType, getPoolClient } from '../../../directory/client.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const DescribeUserPoolClient: Handler<'DescribeUserPoolClient', PoolCall> = async (
  { pools },
  { pool, cipher },
  { ClientId },
) => ({ UserPoolClient: clientType({ pool, cipher }, await getPoolClient({ pools }, pool, ClientId)) })
