import { sql } from 'kysely'
import type { Clock } from '../clock.ts'
import type { Connection, Engine, Touched } from './database.ts'
import { type IndexOf, type Kind, type KindOfScope, kinds, ONLY, scopeOf, type Topology, tableOf } from './kinds.ts'
import { merge } from './merge.ts'
import { countRows, findRow, listRows, type PageQuery, type Row, type Stamp } from './rows.ts'

/** What is written of a row; its stamp is given to it by the write. */
export interface Draft<K extends Kind> {
  pool: string
  key: string
  body: string
  fields?: Partial<Record<IndexOf<K>, string | null>>
}

export interface Address {
  pool: string
  key: string
}

/** One entry of the log: a row as it was written, or (body null) its removal. */
export interface Change {
  pool: string
  kind: Kind
  key: string
  body: string | null
  fields: Record<string, string | null>
  stamp: Stamp
  /** Milliseconds since the epoch on the clock of the region that wrote it. */
  at: number
}

/** A row with this key is there already. */
export class RowExistsError extends Error {
  constructor(kind: Kind) {
    super(`a row of kind ${kind} with this key exists`)
    this.name = 'RowExistsError'
  }
}

/** Another region is in charge of the pool: its replicated rows cannot be written here. */
export class NotPrimaryError extends Error {
  readonly pool: string

  constructor(pool: string) {
    super(`this region is not the primary of ${pool}`)
    this.name = 'NotPrimaryError'
    this.pool = pool
  }
}

/** Reads and writes inside one transaction. */
export interface Transaction {
  readonly connection: Connection
  find<K extends Kind>(kind: K, address: Address): Promise<Row<K> | undefined>
  list<K extends Kind>(kind: K, query: PageQuery<K>): Promise<Row<K>[]>
  count<K extends Kind>(kind: K, query: { pool: string; where?: Partial<Record<IndexOf<K>, string>> }): Promise<number>
  /** Reads a row that this transaction means to write: nobody else can write it until the transaction has ended. */
  lock<K extends Kind>(kind: K, address: Address): Promise<Row<K> | undefined>
  /** Writes a row whether it is there or not. */
  put<K extends KindOfScope<'replicated'>>(kind: K, draft: Draft<K>): Promise<void>
  /** Writes a new row; throws RowExistsError. */
  insert<K extends KindOfScope<'replicated'>>(kind: K, draft: Draft<K>): Promise<void>
  remove<K extends KindOfScope<'replicated'>>(kind: K, address: Address): Promise<void>
  /** Adds a shared fact, in any region: what is there and what comes are merged by the rule of the kind. */
  share<K extends KindOfScope<'shared'>>(kind: K, draft: Draft<K>): Promise<void>
  /** Writes a row that stays in this region. */
  set<K extends KindOfScope<'regional'>>(kind: K, draft: Draft<K>): Promise<void>
  unset<K extends KindOfScope<'regional'>>(kind: K, address: Address): Promise<void>
}

export interface WriteContext {
  engine: Engine
  clock: Pick<Clock, 'now'>
  region: string
}

/** The transaction that operations see, over an open connection. `touched` collects what caches must forget. */
export async function openTransaction(
  { engine, clock, region }: WriteContext,
  connection: Connection,
  touched: Touched[],
): Promise<Transaction> {
  const now = clock.now()
  const epochs = new Map<string, number>()
  let number: number | undefined
  const transactionNumber = async (): Promise<number> => {
    number ??= await engine.transactionNumber(connection)
    return number
  }

  /** The epoch of the pool, if this region is in charge of it. The first row of a pool is its topology. */
  const authority = async (pool: string, kind: Kind, body?: string): Promise<number> => {
    const known = epochs.get(pool)
    if (known !== undefined) return known
    const row = await findRow(connection, 'topology', { pool, key: ONLY })
    const text = row?.body ?? (kind === 'topology' ? body : undefined)
    const topology = text === undefined ? undefined : (JSON.parse(text) as Topology)
    if (topology?.primary !== region) throw new NotPrimaryError(pool)
    epochs.set(pool, topology.epoch)
    return topology.epoch
  }

  const lockRow = (kind: Kind, { pool, key }: Address): Promise<void> =>
    engine.lock(connection, [`${pool}\n${kind}\n${key}`])

  /** Appends to the log, then applies: the one way in which a row comes to be different. */
  const change = async (kind: Kind, draft: Draft<never> | Address, epoch: number): Promise<void> => {
    const body = 'body' in draft ? draft.body : null
    const fields = (('body' in draft && draft.fields) || {}) as Record<string, string | null>
    const { rows } = await sql<{ seq: number }>`
      insert into changes (tx, pool, kind, key, epoch, body, fields, at)
      values (${await transactionNumber()}, ${draft.pool}, ${kind}, ${draft.key}, ${epoch}, ${body},
        ${body === null ? null : JSON.stringify(fields)}, ${now}) returning seq`.execute(connection)
    const stamp = { epoch, seq: rows[0]?.seq as number }
    await applyChange(connection, { pool: draft.pool, kind, key: draft.key, body, fields, stamp, at: now })
    touched.push({ kind, pool: draft.pool, key: draft.key })
  }

  return {
    connection,
    find: (kind, address) => findRow(connection, kind, address),
    list: (kind, query) => listRows(connection, kind, query),
    count: (kind, query) => countRows(connection, kind, query),
    lock: async (kind, address) => {
      await lockRow(kind, address)
      return findRow(connection, kind, address)
    },
    put: async (kind, draft) => {
      const epoch = await authority(draft.pool, kind, draft.body)
      await lockRow(kind, draft)
      await change(kind, draft, epoch)
    },
    insert: async (kind, draft) => {
      const epoch = await authority(draft.pool, kind, draft.body)
      await lockRow(kind, draft)
      if (await findRow(connection, kind, draft)) throw new RowExistsError(kind)
      await change(kind, draft, epoch)
    },
    remove: async (kind, address) => {
      const epoch = await authority(address.pool, kind)
      await lockRow(kind, address)
      if (await findRow(connection, kind, address)) await change(kind, { pool: address.pool, key: address.key }, epoch)
    },
    share: async (kind, draft) => {
      await lockRow(kind, draft)
      const present = await findRow(connection, kind, draft)
      const body = merge(kind, present?.body, draft.body)
      if (body !== present?.body) await change(kind, { ...draft, body }, 0)
    },
    set: async (kind, draft) => {
      await upsert(connection, { ...draft, kind, fields: (draft.fields ?? {}) as Record<string, string | null>, stamp: { epoch: 0, seq: 0 } }, 'always')
      touched.push({ kind, pool: draft.pool, key: draft.key })
    },
    unset: async (kind, { pool, key }) => {
      await sql`delete from ${sql.table(tableOf(kind))} where pool = ${pool} and key = ${key}`.execute(connection)
      touched.push({ kind, pool, key })
    },
  }
}

/**
 * Makes a change true here, if it is newer than what is here; applying it twice, or out of order, does no harm.
 * The primary and its replicas use the same one. Answers whether anything changed.
 */
export async function applyChange(connection: Connection, change: Change): Promise<boolean> {
  const { pool, kind, key, body, stamp } = change
  if (body === null) {
    const { rows } = await sql`
      insert into tombstones (pool, kind, key, epoch, seq, at)
      values (${pool}, ${kind}, ${key}, ${stamp.epoch}, ${stamp.seq}, ${change.at})
      on conflict (pool, kind, key) do update set epoch = excluded.epoch, seq = excluded.seq, at = excluded.at
      where (tombstones.epoch, tombstones.seq) < (excluded.epoch, excluded.seq) returning 1`.execute(connection)
    if (rows.length === 0) return false
    const deleted = await sql`
      delete from ${sql.table(tableOf(kind))}
      where pool = ${pool} and key = ${key} and (epoch, seq) < (${stamp.epoch}, ${stamp.seq}) returning 1`.execute(
      connection,
    )
    return deleted.rows.length > 0
  }
  return upsert(connection, { ...change, body }, scopeOf(kind) === 'shared' ? 'always' : 'newer')
}

interface Upsert extends Draft<Kind> {
  kind: Kind
  body: string
  fields: Record<string, string | null>
  stamp: Stamp
}

async function upsert(connection: Connection, row: Upsert, when: 'newer' | 'always'): Promise<boolean> {
  const table = tableOf(row.kind)
  const index = kinds[row.kind].index.map((name) => ({ column: `i_${name}`, value: row.fields[name] ?? null }))
  const columns = ['pool', 'key', 'body', 'epoch', 'seq', ...index.map(({ column }) => column)].map((c) => sql.ref(c))
  const values = [row.pool, row.key, row.body, row.stamp.epoch, row.stamp.seq, ...index.map(({ value }) => value)]
  const sets = ['body', 'epoch', 'seq', ...index.map(({ column }) => column)].map(
    (column) => sql`${sql.ref(column)} = ${sql.ref(`excluded.${column}`)}`,
  )
  const newer =
    when === 'always'
      ? sql``
      : sql`where (${sql.table(table)}.epoch, ${sql.table(table)}.seq) < (excluded.epoch, excluded.seq)`
  // A removal that is newer than this row has the last word.
  const alive =
    when === 'always'
      ? sql`1 = 1`
      : sql`not exists (select 1 from tombstones where pool = ${row.pool} and kind = ${row.kind} and key = ${row.key}
          and (epoch, seq) > (${row.stamp.epoch}, ${row.stamp.seq}))`
  const { rows } = await sql`
    insert into ${sql.table(table)} (${sql.join(columns)})
    select ${sql.join(values.map((value, at) => (at === 3 || at === 4 ? sql`cast(${value} as bigint)` : sql`cast(${value} as text)`)))}
    where ${alive}
    on conflict (pool, key) do update set ${sql.join(sets)} ${newer} returning 1`.execute(connection)
  return rows.length > 0
}
