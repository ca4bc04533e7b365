import { lockClient } from '../../../directory/client.ts'
import { removeOwned } from '../../../store/owned.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const DeleteUserPoolClient: Handler<'DeleteUserPoolClient', PoolCall> = async (
  { store },
  { pool },
  { ClientId },
) => {
  await store.write(async (tx) => {
    await lockClient(tx, pool, ClientId)
    await removeOwned(tx, 'client', { pool: pool.id, id: ClientId })
    await tx.remove('client', { pool: pool.id, key: ClientId })
  })
  return undefined
}
