import { findCopy, isTouched } from '../store/copies.ts'
import type { Connection } from '../store/database.ts'
import type { Kind } from '../store/kinds.ts'
import type { Row } from '../store/rows.ts'
import { isStageBefore } from './stages.ts'

/**
 * While a pool is copied again, rows of before the copy are beside rows of the primary. Of rows that exclude each other, returns the one
 * to believe: a row that the copy or the stream has brought before one that it has not reached, and then the one with the newer stamp.
 * (Stamps alone do not decide: after a log went back, old rows may have the newer ones.)
 */
export async function newestOf<K extends Kind>(
  db: Connection,
  { kind, pool, primary }: { kind: K; pool: string; primary: string },
  rows: readonly [Row<K>, ...Row<K>[]],
): Promise<Row<K>> {
  const copy = await findCopy(db, { pool, peer: primary })
  const isCopied = ({ key }: Row<K>): boolean =>
    copy === undefined ||
    isStageBefore(kind, copy.stage) ||
    (copy.stage === kind && copy.after !== undefined && key <= copy.after)
  const ranked: { row: Row<K>; isCurrent: boolean }[] = []
  for (const row of rows) {
    const isCurrent = isCopied(row) || (await isTouched(db, { kind, pool, key: row.key }))
    ranked.push({ row, isCurrent })
  }
  ranked.sort(
    (a, b) =>
      Number(b.isCurrent) - Number(a.isCurrent) ||
      b.row.stamp.epoch - a.row.stamp.epoch ||
      b.row.stamp.seq - a.row.stamp.seq,
  )
  return ranked[0]?.row as Row<K>
}
