import { lockPool, putPool } from '../../../directory/pool.ts'
import { addToSchema } from '../../../identity/pools/schema.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AddCustomAttributes: Handler<'AddCustomAttributes', PoolCall> = async (
  { store },
  call,
  { CustomAttributes },
) => {
  await store.write(async (tx) => {
    const document = await lockPool(tx, call)
    const SchemaAttributes = addToSchema(document.SchemaAttributes ?? [], CustomAttributes)
    await putPool(tx, call, { ...document, SchemaAttributes, modified: tx.now })
  })
  return {}
}
