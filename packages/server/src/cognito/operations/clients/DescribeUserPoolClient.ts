import { describeClient } from '../../../identity/clients/description.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const DescribeUserPoolClient: Handler<'DescribeUserPoolClient', PoolCall> = async (
  { pools },
  call,
  { ClientId },
) => ({ UserPoolClient: describeClient(call, await pools.getClientOf(call.pool, ClientId)) })
