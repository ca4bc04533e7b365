import { lockClient, removeClient } from '../../../directory/client.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const DeleteUserPoolClient: Handler<'DeleteUserPoolClient', PoolCall> = async (
  { store },
  { pool },
  { ClientId },
) => {
  await store.write(async (tx) => {
    await lockClient(tx, pool, ClientId)
    await removeClient(tx, pool, ClientId)
  })
  return undefined
}
