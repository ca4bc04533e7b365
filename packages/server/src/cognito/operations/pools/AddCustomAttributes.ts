import { lockPool, putPool } from '../../../directory/pool.ts'
import { addToSchema } from '../../../identity/pools/schema.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AddCustomAttributes: Handler<'AddCustomAttributes', PoolCall> = async (
  { store },
  { pool },
  { CustomAttributes },
) => {
  await store.write(async (tx) => {
    const document = await lockPool(tx, pool.id)
    const SchemaAttributes = addToSchema(document.SchemaAttributes ?? [], CustomAttributes)
    await putPool(tx, pool.id, { ...document, SchemaAttributes, modified: tx.now })
  })
  return {}
}
