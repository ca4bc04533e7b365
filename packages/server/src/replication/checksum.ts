import { createHash } from 'node:crypto'
import { firstKinds } from '../store/first-kinds.ts'
import { type Kind, type KindOfScope, kindNames, scopeOf } from '../store/kinds.ts'
import { expiryOf } from '../store/merge.ts'
import type { Row } from '../store/rows.ts'
import type { Store } from '../store/store.ts'

export interface DirectoryChecksum {
  /** Hexadecimal. Equal in two regions whose directories are equal, and, for what has one writer, of the same history. */
  checksum: string
  rows: Partial<Record<Kind, number>>
}

const PAGE = 1_000

const isShared = (kind: Kind): kind is KindOfScope<'shared'> => scopeOf(kind) === 'shared'

/** Index columns that came later count where they have a value: so builds with and without them agree as long as they are not used. */
const comparable = (kind: Kind, fields: Row['fields']): Record<string, string | null> =>
  Object.fromEntries(
    Object.entries(fields as Record<string, string | null>).filter(
      ([name, value]) => value !== null || firstKinds[kind]?.index.includes(name),
    ),
  )

/**
 * A checksum over all rows of a pool that travel, in the order of kinds and keys. Of replicated rows it takes the stamps in;
 * of shared facts, which every region logs for itself, only what they say, and only while they mean something at `now` (each
 * region forgets them when it comes to it; see forgetter.ts). It is read page by page: a directory that changes meanwhile has none
 * that means anything.
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
