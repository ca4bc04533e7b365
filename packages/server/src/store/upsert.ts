import { type RawBuilder, sql } from 'kysely'
import { type Connection, TOLD } from './database.ts'
import { type Kind, kinds, tableOf } from './kinds.ts'
import type { Stamp } from './rows.ts'

/*
 * The statement by which rows come into their tables. Only write.ts and apply.ts use it: a replicated row is written together with its
 * change, or applied from one.
 */

/** A row as it came from another region, or is about to be written here. */
export interface StampedRow {
  pool: string
  key: string
  body: string
  fields: Record<string, string | null>
  stamp: Stamp
}

/** Few sizes, so that statements are few and can be kept prepared. */
const CHUNKS = [256, 64, 32, 16, 8, 4, 2, 1] as const

export function* inChunks<T>(list: readonly T[]): Generator<readonly T[]> {
  let at = 0
  for (const size of CHUNKS) {
    for (; list.length - at >= size; at += size) yield list.slice(at, at + size)
  }
}

/** What becomes of a row that is there already. */
export type Resolution = 'newer' | 'always' | 'absent'

/** No two of the rows may have the same key. Answers those that were written. */
export async function upsertRows(
  connection: Connection,
  kind: Kind,
  rows: readonly StampedRow[],
  when: Resolution,
): Promise<{ pool: string; key: string }[]> {
  const written: { pool: string; key: string }[] = []
  for (const some of inChunks(rows)) written.push(...(await upsertion(kind, some, when).execute(connection)).rows)
  return written
}

/** The same, without an answer. */
export async function tellRows(
  connection: Connection,
  kind: Kind,
  rows: readonly StampedRow[],
  when: Resolution,
): Promise<void> {
  for (const some of inChunks(rows)) await upsertion(kind, some, when, { told: true }).execute(connection)
}

/** Answers the rows that are written. `first`: what the statement does before; the stamps may speak of it. */
export function upsertion(
  kind: Kind,
  rows: readonly (Omit<StampedRow, 'stamp'> & { stamp: { epoch: number; seq: number | RawBuilder<unknown> } })[],
  when: Resolution,
  { first, told = false }: { first?: RawBuilder<unknown>; told?: boolean } = {},
): RawBuilder<{ pool: string; key: string }> {
  const table = sql.table(tableOf(kind))
  const names = kinds[kind].index as readonly string[]
  const data = ['body', 'epoch', 'seq', ...names.map((name) => `i_${name}`)]
  const columns = sql.join(['pool', 'key', ...data].map((column) => sql.ref(column)))
  // PostgreSQL takes parameters in a list of values for text.
  const selected = sql.join(
    ['pool', 'key', ...data].map((column) =>
      column === 'epoch' || column === 'seq'
        ? sql`cast(${sql.ref(`coming.${column}`)} as bigint)`
        : sql`cast(${sql.ref(`coming.${column}`)} as text)`,
    ),
  )
  const sets = sql.join(data.map((column) => sql`${sql.ref(column)} = ${sql.ref(`excluded.${column}`)}`))
  // A removal that is newer than the row has the last word.
  const alive =
    when === 'newer'
      ? sql`not exists (select 1 from tombstones as gone where gone.pool = coming.pool and gone.kind = ${kind}
          and gone.key = coming.key
          and (gone.epoch, gone.seq) > (cast(coming.epoch as bigint), cast(coming.seq as bigint)))`
      : sql`1 = 1`
  const resolve = {
    newer: sql`do update set ${sets} where (${table}.epoch, ${table}.seq) < (excluded.epoch, excluded.seq)`,
    always: sql`do update set ${sets}`,
    absent: sql`do nothing`,
  }[when]
  const values = rows.map(({ pool, key, body, stamp, fields }) => {
    const list = [pool, key, body, stamp.epoch, stamp.seq, ...names.map((name) => fields[name] ?? null)]
    return sql`(${sql.join(list)})`
  })
  return sql<{ pool: string; key: string }>`${told ? TOLD : sql``}
    with ${first ? sql`${first}, ` : sql``}coming (${columns}) as (values ${sql.join(values)})
    insert into ${table} (${columns}) select ${selected} from coming where ${alive}
    on conflict (pool, key) ${resolve} returning pool, key`
}
