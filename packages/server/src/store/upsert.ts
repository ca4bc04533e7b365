import { type RawBuilder, sql } from 'kysely'
import { type Connection, PIPELINED } from './database.ts'
import { type Kind, kinds, tableOf } from './kinds.ts'
import type { Stamp } from './rows.ts'

/*
 * The upsert of rows. Only write.ts and apply.ts use it: a replicated row is written together with its change, or applied from a
 * change.
 */

/** A row that was received from another region, or that this region is about to write. */
export interface StampedRow {
  pool: string
  key: string
  body: string
  fields: Record<string, string | null>
  stamp: Stamp
}

/** Few sizes need few distinct statements, which can stay prepared. */
const CHUNKS = [256, 64, 32, 16, 8, 4, 2, 1] as const

export function* inChunks<T>(list: readonly T[]): Generator<readonly T[]> {
  let at = 0
  for (const size of CHUNKS) {
    for (; list.length - at >= size; at += size) yield list.slice(at, at + size)
  }
}

/**
 * When an existing row is overwritten: `newer`, if the stamp is newer (a newer tombstone also prevents the write); `always`;
 * `absent`, never.
 */
export type Resolution = 'newer' | 'always' | 'absent'

/** Writes rows with distinct keys; returns the keys of the written rows. */
export async function upsertRows(
  connection: Connection,
  kind: Kind,
  rows: readonly StampedRow[],
  when: Resolution,
): Promise<{ pool: string; key: string }[]> {
  const written: { pool: string; key: string }[] = []
  for (const some of inChunks(rows)) {
    for (const row of (await upsertion(kind, some, when).execute(connection)).rows) written.push(row)
  }
  return written
}

/** Like upsertRows, pipelined: without reporting which rows were written. */
export async function pipelineRows(
  connection: Connection,
  kind: Kind,
  rows: readonly StampedRow[],
  when: Resolution,
): Promise<void> {
  for (const some of inChunks(rows)) await upsertion(kind, some, when, { pipelined: true }).execute(connection)
}

/** The statement; it returns the keys of the written rows. `first`: a common table expression that the stamps may refer to. */
export function upsertion(
  kind: Kind,
  rows: readonly (Omit<StampedRow, 'stamp'> & { stamp: { epoch: number; seq: number | RawBuilder<unknown> } })[],
  when: Resolution,
  { first, pipelined = false }: { first?: RawBuilder<unknown>; pipelined?: boolean } = {},
): RawBuilder<{ pool: string; key: string }> {
  const table = sql.table(tableOf(kind))
  const names = kinds[kind].index as readonly string[]
  const data = ['body', 'epoch', 'seq', ...names.map((name) => `i_${name}`)]
  const columns = sql.join(['pool', 'key', ...data].map((column) => sql.ref(column)))
  // PostgreSQL types parameters in a VALUES list as text.
  const selected = sql.join(
    ['pool', 'key', ...data].map((column) =>
      column === 'epoch' || column === 'seq'
        ? sql`cast(${sql.ref(`incoming.${column}`)} as bigint)`
        : sql`cast(${sql.ref(`incoming.${column}`)} as text)`,
    ),
  )
  const sets = sql.join(data.map((column) => sql`${sql.ref(column)} = ${sql.ref(`excluded.${column}`)}`))
  // A newer removal wins.
  const alive =
    when === 'newer'
      ? sql`not exists (select 1 from tombstones as tombstone where tombstone.pool = incoming.pool and tombstone.kind = ${kind}
          and tombstone.key = incoming.key
          and (tombstone.epoch, tombstone.seq) > (cast(incoming.epoch as bigint), cast(incoming.seq as bigint)))`
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
  return sql<{ pool: string; key: string }>`${pipelined ? PIPELINED : sql``}
    with ${first ? sql`${first}, ` : sql``}incoming (${columns}) as (values ${sql.join(values)})
    insert into ${table} (${columns}) select ${selected} from incoming where ${alive}
    on conflict (pool, key) ${resolve} returning pool, key`
}
