import { ONLY } from '../store/kinds.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { type Alias, activeAliases, completeAlias, isNormal } from './alias.ts'
import { parseDocument } from './document.ts'
import type { OpenPool } from './open-pool.ts'
import type { User } from './user.ts'

/** Body of the `name-index` row of a pool: the progress of this region in indexing names that older builds wrote. Times in ms. */
export interface NameIndexDocument {
  /** When a pass over all users first ended. */
  passed: number
  /** A second pass has followed, after older processes had time to stop. */
  done?: true
}

export async function findNameIndex(store: Pick<Store, 'find'>, pool: string): Promise<NameIndexDocument | undefined> {
  const row = await store.find('name-index', { pool, key: ONLY })
  return row && parseDocument('name-index', row)
}

export const setNameIndex = (tx: Transaction, pool: string, document: NameIndexDocument): Promise<void> =>
  tx.set('name-index', { pool, key: ONLY, body: JSON.stringify(document) })

/** The names of a user that are not in their normal form. */
export function otherNamesOf({ pool }: OpenPool, user: User): Alias[] {
  const names: Alias[] = [{ type: 'username', value: user.username }]
  for (const [type, value] of Object.entries(activeAliases(pool, user)))
    names.push({ type: type as Alias['type'], value })
  return names.filter((name) => !isNormal(pool, name))
}

/** Adds the normal forms of a user's names to the index. Returns the names that another user has, too. */
export async function completeNames(
  tx: Transaction,
  openPool: OpenPool,
  user: User,
): Promise<{ type: Alias['type']; other: string }[]> {
  const taken: { type: Alias['type']; other: string }[] = []
  for (const name of otherNamesOf(openPool, user)) {
    const other = await completeAlias(tx, openPool, name, user.sub)
    if (other !== undefined) taken.push({ type: name.type, other })
  }
  return taken
}
