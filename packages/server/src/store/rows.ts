import { type RawBuilder, sql } from 'kysely'
import type { Connection } from './database.ts'
import { type IndexOf, type Kind, kinds, tableOf } from './kinds.ts'

/** Who wrote a row: the epoch of its pool then, and the number of the change in the log of the region that wrote it. */
export interface Stamp {
  epoch: number
  seq: number
}

/** A row as the store knows it. `fields` are its index columns. */
export interface Row<K extends Kind = Kind> {
  pool: string
  key: string
  body: string
  fields: Partial<Record<IndexOf<K>, string | null>>
  stamp: Stamp
}

type Raw = { pool: string; key: string; body: string; epoch: number; seq: number } & Record<string, string | null>

/** Finds a row by its key. */
export async function findRow<K extends Kind>(
  db: Connection,
  kind: K,
  { pool, key }: { pool: string; key: string },
): Promise<Row<K> | undefined> {
  const { rows } = await sql<Raw>`
    select * from ${sql.table(tableOf(kind))} where pool = ${pool} and key = ${key}`.execute(db)
  return rows[0] && toRow(kind, rows[0])
}

export interface PageQuery<K extends Kind> {
  pool: string
  /** Only rows whose index column has this value. */
  where?: Partial<Record<IndexOf<K>, string>>
  /** Only rows whose key starts with this. */
  prefix?: string
  /** Only rows whose key comes after this one. */
  after?: string | undefined
  /** Only rows whose key does not come after this one. */
  until?: string | undefined
  limit: number
}

/** Lists rows of one kind in the order of their keys (bytewise, the same on both engines). */
export async function listRows<K extends Kind>(db: Connection, kind: K, query: PageQuery<K>): Promise<Row<K>[]> {
  const conditions: RawBuilder<unknown>[] = [sql`pool = ${query.pool}`]
  for (const [name, value] of Object.entries(query.where ?? {})) {
    conditions.push(sql`${sql.ref(`i_${name}`)} = ${value}`)
  }
  if (query.prefix) {
    conditions.push(sql`key >= ${query.prefix} and key < ${query.prefix + String.fromCodePoint(0x10ffff)}`)
  }
  if (query.after !== undefined) conditions.push(sql`key > ${query.after}`)
  if (query.until !== undefined) conditions.push(sql`key <= ${query.until}`)
  const { rows } = await sql<Raw>`
    select * from ${sql.table(tableOf(kind))} where ${sql.join(conditions, sql` and `)}
    order by key limit ${query.limit}`.execute(db)
  return rows.map((raw) => toRow(kind, raw))
}

/** Finds the rows with this key in whatever pool: for the few kinds that are looked up without one (`byKey`). */
export async function findRowsByKey<K extends Kind>(db: Connection, kind: K, key: string): Promise<Row<K>[]> {
  const { rows } = await sql<Raw>`
    select * from ${sql.table(tableOf(kind))} where key = ${key} order by pool`.execute(db)
  return rows.map((raw) => toRow(kind, raw))
}

/** Lists rows of one kind over all pools in the order (pool, key), after an address. */
export async function listRowsOfAllPools<K extends Kind>(
  db: Connection,
  kind: K,
  { after, limit }: { after?: { pool: string; key: string } | undefined; limit: number },
): Promise<Row<K>[]> {
  const condition = after ? sql`(pool, key) > (${after.pool}, ${after.key})` : sql`1 = 1`
  const { rows } = await sql<Raw>`
    select * from ${sql.table(tableOf(kind))} where ${condition} order by pool, key limit ${limit}`.execute(db)
  return rows.map((raw) => toRow(kind, raw))
}

/** How many rows of a kind a pool has. */
export async function countRows<K extends Kind>(
  db: Connection,
  kind: K,
  { pool, where = {} }: { pool: string; where?: Partial<Record<IndexOf<K>, string>> },
): Promise<number> {
  const conditions: RawBuilder<unknown>[] = [sql`pool = ${pool}`]
  for (const [name, value] of Object.entries(where)) conditions.push(sql`${sql.ref(`i_${name}`)} = ${value}`)
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from ${sql.table(tableOf(kind))} where ${sql.join(conditions, sql` and `)}`.execute(db)
  return Number(rows[0]?.count ?? 0)
}

/** How many rows of a kind there are in all pools. */
export async function countRowsOfAllPools(db: Connection, kind: Kind): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from ${sql.table(tableOf(kind))}`.execute(db)
  return Number(rows[0]?.count ?? 0)
}

/** Counts rows from the first key on, up to a limit, and tells the key at which the count ended. */
export async function countFirstRows(
  db: Connection,
  kind: Kind,
  { pool, limit }: { pool: string; limit: number },
): Promise<{ count: number; last: string | undefined }> {
  const { rows } = await sql<{ count: number; last: string | null }>`
    select count(*) as count, max(key) as last from
      (select key from ${sql.table(tableOf(kind))} where pool = ${pool} order by key limit ${limit}) as first`.execute(
    db,
  )
  return { count: Number(rows[0]?.count ?? 0), last: rows[0]?.last ?? undefined }
}

/** Lists rows of one kind whose pool has no row of another kind. */
export async function listRowsWithout<K extends Kind>(
  db: Connection,
  kind: K,
  { lacking, limit }: { lacking: Kind; limit: number },
): Promise<Row<K>[]> {
  const other = sql.table(tableOf(lacking))
  const { rows } = await sql<Raw>`
    select * from ${sql.table(tableOf(kind))} as present
    where not exists (select 1 from ${other} as other where other.pool = present.pool)
    order by pool, key limit ${limit}`.execute(db)
  return rows.map((raw) => toRow(kind, raw))
}

function toRow<K extends Kind>(kind: K, raw: Raw): Row<K> {
  const fields: Partial<Record<string, string | null>> = {}
  for (const name of kinds[kind].index) fields[name] = raw[`i_${name}`] ?? null
  return {
    pool: raw.pool,
    key: raw.key,
    body: raw.body,
    fields: fields as Row<K>['fields'],
    stamp: { epoch: raw.epoch, seq: raw.seq },
  }
}
