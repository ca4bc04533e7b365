import { listRowsOfAllPools, type Row } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { findDocument, sealDocument } from './document.ts'
import { hashOf } from './group-rows.ts'
import type { OpenPool } from './open-pool.ts'

/*
 * The mark of a deleted group whose memberships are not all removed yet. It stays in the region: without it, such memberships have no
 * effect, and CreateGroup removes them first.
 */

type RemovalRow = Row<'group-removal'>

const addressOf = (openPool: OpenPool, group: string) => ({ pool: openPool.pool.id, key: hashOf(openPool, group) })

export async function beginRemoval(tx: Transaction, openPool: OpenPool, group: string): Promise<void> {
  const address = addressOf(openPool, group)
  await tx.set('group-removal', { ...address, body: sealDocument(openPool, 'group-removal', address.key, { group }) })
}

export const endRemoval = (tx: Transaction, openPool: OpenPool, group: string): Promise<void> =>
  tx.unset('group-removal', addressOf(openPool, group))

/** Lists removals in all pools. */
export const listRemovals = (
  { db }: Pick<Store, 'db'>,
  page: { after: { pool: string; key: string } | undefined; limit: number },
): Promise<RemovalRow[]> => listRowsOfAllPools(db, 'group-removal', page)

/** The name of the group; undefined for a row that the key of the pool did not seal. */
export const groupOf = (openPool: OpenPool, row: RemovalRow): string | undefined =>
  findDocument(openPool, 'group-removal', row)?.group
