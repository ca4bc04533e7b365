import { deleteDomain } from '../../../identity/pools/domains.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const DeleteUserPoolDomain: Handler<'DeleteUserPoolDomain', PoolCall> = async (
  { store },
  { pool },
  { Domain },
) => {
  await deleteDomain({ store }, pool, Domain)
  return {}
}
