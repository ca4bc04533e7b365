import { sql } from 'kysely'
import type { Clock } from '../clock.ts'
import { applyChange, pipelineChanges } from './apply.ts'
import { type Connection, type Engine, PIPELINED, type Touched } from './database.ts'
import { parseStored } from './documents.ts'
import { type IndexOf, type Kind, type KindOfScope, ONLY, tableOf } from './kinds.ts'
import { merge } from './merge.ts'
import {
  countRows,
  type FirstQuery,
  findFirstRow,
  findRow,
  findRowAndTopology,
  listRows,
  type PageQuery,
  type Row,
  type Stamp,
} from './rows.ts'
import { inChunks, upsertion } from './upsert.ts'

/** A row to write; the write assigns its stamp. */
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

/** A row with this key exists already. */
export class RowExistsError extends Error {
  constructor(kind: Kind) {
    super(`a row of kind ${kind} with this key exists`)
    this.name = 'RowExistsError'
  }
}

/** Another region is the primary of the pool: replicated rows cannot be written here. */
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
  /** Start of the transaction (ms since the epoch): the timestamp of all its writes. */
  readonly now: number
  find<K extends Kind>(kind: K, address: Address): Promise<Row<K> | undefined>
  list<K extends Kind>(kind: K, query: PageQuery<K>): Promise<Row<K>[]>
  /** Finds a row by the first way that succeeds, in one query. */
  findFirst<K extends Kind>(kind: K, query: FirstQuery<K>): Promise<Row<K> | undefined>
  count<K extends Kind>(kind: K, query: { pool: string; where?: Partial<Record<IndexOf<K>, string>> }): Promise<number>
  /**
   * Locks a row (or a missing row's address) until the end of the transaction and reads it: no other transaction can write it.
   */
  lock<K extends Kind>(kind: K, address: Address): Promise<Row<K> | undefined>
  /** Writes a new or existing row. */
  put<K extends KindOfScope<'replicated'>>(kind: K, draft: Draft<K>): Promise<void>
  /** Writes a new row; throws RowExistsError. */
  insert<K extends KindOfScope<'replicated'>>(kind: K, draft: Draft<K>): Promise<void>
  remove<K extends KindOfScope<'replicated'>>(kind: K, address: Address): Promise<void>
  /** Removes many rows of one kind with few statements. */
  removeAll<K extends KindOfScope<'replicated'>>(
    kind: K,
    rows: { pool: string; keys: readonly string[] },
  ): Promise<void>
  /** Adds a shared fact, in any region; merges it with the stored version by the rule of its kind. */
  share<K extends KindOfScope<'shared'>>(kind: K, draft: Draft<K>): Promise<void>
  /** Writes a regional row. */
  set<K extends KindOfScope<'regional'>>(kind: K, draft: Draft<K>): Promise<void>
  unset<K extends KindOfScope<'regional'>>(kind: K, address: Address): Promise<void>
}

export interface WriteContext {
  engine: Engine
  clock: Pick<Clock, 'now'>
  region: string
}

/** Opens the transaction API over a connection. Adds the rows that caches must drop to `touched`. */
export async function openTransaction(
  { engine, clock, region }: WriteContext,
  connection: Connection,
  touched: Touched[],
): Promise<Transaction> {
  const now = clock.now()
  const epochs = new Map<string, number>()
  /** Topologies read by `lock`. */
  const topologies = new Map<string, string>()
  const locked = new Set<string>()
  let number: number | undefined
  const transactionNumber = async () => {
    if (engine.transactionNumberSql) return engine.transactionNumberSql
    number ??= await engine.transactionNumber(connection)
    return number
  }

  /** Returns the epoch of the pool; throws unless this region is its primary. The first row of a pool is its topology. */
  const primaryEpoch = async (pool: string, kind: Kind, body?: string): Promise<number> => {
    const known = epochs.get(pool)
    if (known !== undefined) return known
    const present = topologies.get(pool) ?? (await findRow(connection, 'topology', { pool, key: ONLY }))?.body
    const text = present ?? (kind === 'topology' ? body : undefined)
    const topology = text === undefined ? undefined : parseStored('topology', text)
    if (topology?.primary !== region) throw new NotPrimaryError(pool)
    epochs.set(pool, topology.epoch)
    return topology.epoch
  }

  /** The stamp of a topology row has the epoch that the row begins. */
  const epochOf = async (kind: Kind, { pool, body }: { pool: string; body: string }): Promise<number> => {
    const epoch = await primaryEpoch(pool, kind, body)
    if (kind !== 'topology') return epoch
    const begun = Math.max(epoch, parseStored('topology', body).epoch)
    epochs.set(pool, begun)
    return begun
  }

  const lockRows = async (kind: Kind, { pool, keys }: { pool: string; keys: readonly string[] }): Promise<void> => {
    const names = keys.map((key) => `${pool}\n${kind}\n${key}`).filter((name) => !locked.has(name))
    if (names.length > 0) await engine.lock(connection, names)
    for (const name of names) locked.add(name)
  }
  const lockRow = (kind: Kind, { pool, key }: Address): Promise<void> => lockRows(kind, { pool, keys: [key] })

  /** Appends to the log and applies the change. The only function that changes a replicated or shared row. */
  const change = async (kind: Kind, draft: Draft<never> | Address, epoch: number): Promise<void> => {
    const body = 'body' in draft ? draft.body : null
    const fields = (('body' in draft && draft.fields) || {}) as Record<string, string | null>
    const { pool, key } = draft
    const entry = sql<{ seq: number }>`
      insert into changes (tx, pool, kind, key, epoch, body, fields, at)
      values (${await transactionNumber()}, ${pool}, ${kind}, ${key}, ${epoch}, ${body},
        ${body === null ? null : JSON.stringify(fields)}, ${now}) returning seq`
    if (engine.hasWritableCtes && body !== null) {
      const row = { pool, key, body, fields, stamp: { epoch, seq: sql`(select seq from entry)` } }
      await upsertion(kind, [row], 'always', { first: sql`entry as (${entry})`, pipelined: true }).execute(connection)
    } else {
      const { rows } = await entry.execute(connection)
      const stamp = { epoch, seq: rows[0]?.seq as number }
      await applyChange(connection, { pool, kind, key, body, fields, stamp, at: now })
    }
    touched.push({ kind, pool: draft.pool, key: draft.key })
  }

  return {
    connection,
    now,
    find: (kind, address) => findRow(connection, kind, address),
    list: (kind, query) => listRows(connection, kind, query),
    findFirst: (kind, query) => findFirstRow(connection, kind, query),
    count: (kind, query) => countRows(connection, kind, query),
    lock: async (kind, address) => {
      await lockRow(kind, address)
      if (epochs.has(address.pool)) return findRow(connection, kind, address)
      // A lock precedes a write, and a write needs the pool's epoch: read both at once.
      const { row, topology } = await findRowAndTopology(connection, kind, address)
      if (topology !== undefined) topologies.set(address.pool, topology)
      return row
    },
    put: async (kind, draft) => {
      const epoch = await epochOf(kind, draft)
      await lockRow(kind, draft)
      await change(kind, draft, epoch)
    },
    insert: async (kind, draft) => {
      const epoch = await epochOf(kind, draft)
      await lockRow(kind, draft)
      if (await findRow(connection, kind, draft)) throw new RowExistsError(kind)
      await change(kind, draft, epoch)
    },
    remove: async (kind, address) => {
      const epoch = await primaryEpoch(address.pool, kind)
      await lockRow(kind, address)
      if (await findRow(connection, kind, address)) await change(kind, { pool: address.pool, key: address.key }, epoch)
    },
    removeAll: async (kind, { pool, keys }) => {
      const epoch = await primaryEpoch(pool, kind)
      for (const some of inChunks(keys)) {
        await lockRows(kind, { pool, keys: some })
        const { rows } = await sql<{ key: string; seq: number }>`
          insert into changes (tx, pool, kind, key, epoch, body, fields, at)
          select ${await transactionNumber()}, pool, cast(${kind} as text), key, cast(${epoch} as bigint), null, null,
            cast(${now} as bigint) from ${sql.table(tableOf(kind))} where pool = ${pool} and key in (${sql.join(some)})
          returning key, seq`.execute(connection)
        const removals = rows.map(({ key, seq }) => ({
          pool,
          kind,
          key,
          body: null,
          fields: {},
          stamp: { epoch, seq },
          at: now,
        }))
        await pipelineChanges(connection, removals)
        for (const { key } of rows) touched.push({ kind, pool, key })
      }
    },
    share: async (kind, draft) => {
      await lockRow(kind, draft)
      const present = await findRow(connection, kind, draft)
      const body = merge(kind, present?.body, draft.body)
      if (body !== present?.body) await change(kind, { ...draft, body }, 0)
    },
    set: async (kind, draft) => {
      const fields = (draft.fields ?? {}) as Record<string, string | null>
      await upsertion(kind, [{ ...draft, fields, stamp: UNSTAMPED }], 'always', { pipelined: true }).execute(connection)
      touched.push({ kind, pool: draft.pool, key: draft.key })
    },
    unset: async (kind, { pool, key }) => {
      await sql`${PIPELINED}delete from ${sql.table(tableOf(kind))} where pool = ${pool} and key = ${key}`.execute(
        connection,
      )
      touched.push({ kind, pool, key })
    },
  }
}

const UNSTAMPED: Stamp = { epoch: 0, seq: 0 }
