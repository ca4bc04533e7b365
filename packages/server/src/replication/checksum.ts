import { createHash } from 'node:crypto'
import { type Kind, kindNames, scopeOf } from '../store/kinds.ts'
import type { Store } from '../store/store.ts'

export interface DirectoryChecksum {
  /** Hexadecimal. Equal in two regions whose directories are equal, and, for what has one writer, of the same history. */
  checksum: string
  rows: Partial<Record<Kind, number>>
}

const PAGE = 1_000

/**
 * A checksum over all rows of a pool that travel, in the order of kinds and keys. Of replicated rows it takes the stamps in;
 * of shared facts, which every region logs for itself, only what they say. It is read page by page: a directory that changes
 * meanwhile has none that means anything.
 */
export async function checksumOf(store: Pick<Store, 'list'>, pool: string): Promise<DirectoryChecksum> {
  const hash = createHash('sha256')
  const counts: DirectoryChecksum['rows'] = {}
  for (const kind of kindNames) {
    const scope = scopeOf(kind)
    if (scope === 'regional') continue
    let after: string | undefined
    let count = 0
    for (;;) {
      const rows = await store.list(kind, { pool, after, limit: PAGE })
      for (const { key, body, fields, stamp } of rows) {
        const content =
          scope === 'shared'
            ? Object.entries(JSON.parse(body) as object).sort(([a], [b]) => (a < b ? -1 : 1))
            : [body, fields, stamp.epoch, stamp.seq]
        hash.update(JSON.stringify([kind, key, content]))
      }
      count += rows.length
      if (rows.length < PAGE) break
      after = rows.at(-1)?.key
    }
    counts[kind] = count
  }
  return { checksum: hash.digest('hex'), rows: counts }
}
