import { type IndexOf, type Kind, type KindOfScope, kindsOwnedBy, ownerColumnOf, scopeOf } from './kinds.ts'
import type { PageQuery } from './rows.ts'
import type { Transaction } from './write.ts'

const PAGE_ROWS = 500

/** Removes every row that a user (`id`: the sub) or a client owns, but not the row of the user or client itself. */
export async function removeOwned(
  tx: Transaction,
  owner: 'client' | 'user',
  { pool, id }: { pool: string; id: string },
): Promise<void> {
  for (const kind of kindsOwnedBy(owner)) {
    const column = ownerColumnOf(kind)
    if (column === undefined) await removeRow(tx, kind, { pool, key: id })
    else await removeRowsWhere(tx, kind, { pool, where: { [column]: id } as PageQuery<Kind>['where'] })
  }
}

async function removeRowsWhere<K extends Kind>(
  tx: Transaction,
  kind: K,
  { pool, where }: { pool: string; where: Partial<Record<IndexOf<K>, string>> | undefined },
): Promise<void> {
  for (;;) {
    const rows = await tx.list(kind, { pool, where: where ?? {}, limit: PAGE_ROWS })
    const keys = rows.map(({ key }) => key)
    if (scopeOf(kind) === 'regional') for (const key of keys) await removeRow(tx, kind, { pool, key })
    else await tx.removeAll(kind as KindOfScope<'replicated'>, { pool, keys })
    if (rows.length < PAGE_ROWS) return
  }
}

const removeRow = (tx: Transaction, kind: Kind, address: { pool: string; key: string }): Promise<void> =>
  scopeOf(kind) === 'regional'
    ? tx.unset(kind as KindOfScope<'regional'>, address)
    : tx.remove(kind as KindOfScope<'replicated'>, address)
