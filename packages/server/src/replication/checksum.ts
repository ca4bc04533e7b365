import { createHash } from 'node:crypto'
import { firstKinds } from '../store/first-kinds.ts'
import { type Kind, type KindOfScope, kindNames, scopeOf } from '../store/kinds.ts'
import { expiryOf } from '../store/merge.ts'
import type { Row } from '../store/rows.ts'
import type { Store } from '../store/store.ts'

export interface DirectoryChecksum {
  /** Hexadecimal. Equal in two regions if all shared facts are equal and all replicated rows have equal content and stamps. */
  checksum: string
  rows: Partial<Record<Kind, number>>
}

const PAGE = 1_000

const isShared = (kind: Kind): kind is KindOfScope<'shared'> => scopeOf(kind) === 'shared'

/**
 * Columns added after the first release count only where they have a value, so that builds with and without them agree until
 * then.
 */
const comparable = (kind: Kind, fields: Row['fields']): Record<string, string | null> =>
  Object.fromEntries(
    Object.entries(fields as Record<string, string | null>).filter(
      ([name, value]) => value !== null || firstKinds[kind]?.index.includes(name),
    ),
  )

/**
 * A checksum over the replicated and shared rows of a pool, ordered by kind and key. Replicated rows count with their stamps.
 * Shared facts, which every region stamps in its own log, count by content alone, and only if they have not expired at `now`
 * (each region purges expired facts on its own schedule; see purger.ts). The rows are read page by page, so the result is
 * meaningless if the pool changes during the call.
 */
export async function checksumOf(store: Pick<Store, 'list'>, pool: string, now: number): Promise<DirectoryChecksum> {
  const hash = createHash('sha256')
  const counts: DirectoryChecksum['rows'] = {}
  for (const kind of kindNames) {
    if (scopeOf(kind) === 'regional') continue
    let after: string | undefined
    let count = 0
    for (;;) {
      const rows = await store.list(kind, { pool, after, limit: PAGE })
      for (const { key, body, fields, stamp } of rows) {
        if (isShared(kind) && expiryOf(kind, body) <= now) continue
        count += 1
        const content = isShared(kind)
          ? Object.entries(JSON.parse(body) as object).sort(([a], [b]) => (a < b ? -1 : 1))
          : [body, comparable(kind, fields), stamp.epoch, stamp.seq]
        hash.update(JSON.stringify([kind, key, content]))
      }
      if (rows.length < PAGE) break
      after = rows.at(-1)?.key
    }
    counts[kind] = count
  }
  return { checksum: hash.digest('hex'), rows: counts }
}
