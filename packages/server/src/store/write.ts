import { type RawBuilder, sql } from 'kysely'
import type { Clock } from '../clock.ts'
import { type Connection, type Engine, TOLD, type Touched } from './database.ts'
import { type IndexOf, type Kind, type KindOfScope, kinds, ONLY, scopeOf, type Topology, tableOf } from './kinds.ts'
import { merge } from './merge.ts'
import { countRows, findRow, findRowAndTopology, listRows, type PageQuery, type Row, type Stamp } from './rows.ts'

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
  /** When the transaction began (ms since the epoch): the time of everything that it writes. */
  readonly now: number
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
  /** Topologies that were read on the way. */
  const topologies = new Map<string, string>()
  const locked = new Set<string>()
  let number: number | undefined
  const transactionNumber = async () => {
    if (engine.transactionNumberHere) return engine.transactionNumberHere
    number ??= await engine.transactionNumber(connection)
    return number
  }

  /** The epoch of the pool, if this region is in charge of it. The first row of a pool is its topology. */
  const authority = async (pool: string, kind: Kind, body?: string): Promise<number> => {
    const known = epochs.get(pool)
    if (known !== undefined) return known
    const present = topologies.get(pool) ?? (await findRow(connection, 'topology', { pool, key: ONLY }))?.body
    const text = present ?? (kind === 'topology' ? body : undefined)
    const topology = text === undefined ? undefined : (JSON.parse(text) as Topology)
    if (topology?.primary !== region) throw new NotPrimaryError(pool)
    epochs.set(pool, topology.epoch)
    return topology.epoch
  }

  /** A topology row carries the epoch that it begins. */
  const epochOf = async (kind: Kind, { pool, body }: { pool: string; body: string }): Promise<number> => {
    const epoch = await authority(pool, kind, body)
    if (kind !== 'topology') return epoch
    const begun = Math.max(epoch, (JSON.parse(body) as Topology).epoch)
    epochs.set(pool, begun)
    return begun
  }

  const lockRow = async (kind: Kind, { pool, key }: Address): Promise<void> => {
    const name = `${pool}\n${kind}\n${key}`
    if (locked.has(name)) return
    await engine.lock(connection, [name])
    locked.add(name)
  }

  /** Appends to the log, then applies: the one way in which a row comes to be different. */
  const change = async (kind: Kind, draft: Draft<never> | Address, epoch: number): Promise<void> => {
    const body = 'body' in draft ? draft.body : null
    const fields = (('body' in draft && draft.fields) || {}) as Record<string, string | null>
    const { pool, key } = draft
    const entry = sql<{ seq: number }>`
      insert into changes (tx, pool, kind, key, epoch, body, fields, at)
      values (${await transactionNumber()}, ${pool}, ${kind}, ${key}, ${epoch}, ${body},
        ${body === null ? null : JSON.stringify(fields)}, ${now}) returning seq`
    if (engine.chains && body !== null) {
      const row = { pool, key, body, fields, stamp: { epoch, seq: sql`(select seq from entry)` } }
      await upsertion(kind, [row], 'always', { first: sql`entry as (${entry})`, told: true }).execute(connection)
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
    count: (kind, query) => countRows(connection, kind, query),
    lock: async (kind, address) => {
      await lockRow(kind, address)
      if (epochs.has(address.pool)) return findRow(connection, kind, address)
      // Whoever locks a row is about to write it, and then has to know who is in charge.
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
      const fields = (draft.fields ?? {}) as Record<string, string | null>
      await upsertion(kind, [{ ...draft, fields, stamp: UNSTAMPED }], 'always', { told: true }).execute(connection)
      touched.push({ kind, pool: draft.pool, key: draft.key })
    },
    unset: async (kind, { pool, key }) => {
      await sql`${TOLD}delete from ${sql.table(tableOf(kind))} where pool = ${pool} and key = ${key}`.execute(
        connection,
      )
      touched.push({ kind, pool, key })
    },
  }
}

const UNSTAMPED: Stamp = { epoch: 0, seq: 0 }

/** A row as it came from another region, or is about to be written here. */
export interface StampedRow {
  pool: string
  key: string
  body: string
  fields: Record<string, string | null>
  stamp: Stamp
}

/**
 * Makes changes true here, where they are newer than what is here; applying them twice, or in another order, does no harm.
 * The primary and its replicas use the same one. Of several changes of one row only the newest is looked at. Answers those
 * that were newer: a removal also where there was no row to remove.
 */
export async function applyChanges(connection: Connection, changes: readonly Change[]): Promise<Change[]> {
  const { removals, puts } = newestOf(changes)
  const taken: Change[] = []
  for (const change of removals) if ((await applyRemoval(connection, change)).newer) taken.push(change)
  for (const [kind, changes] of puts) {
    const written = await upsertRows(connection, kind, changes, resolutionOf(kind))
    const names = new Set(written.map(({ pool, key }) => `${pool}\n${key}`))
    taken.push(...changes.filter(({ pool, key }) => names.has(`${pool}\n${key}`)))
  }
  return taken
}

/** The same for who does not need to know which of them were newer: only removals are waited for. */
export async function tellChanges(connection: Connection, changes: readonly Change[]): Promise<void> {
  const { removals, puts } = newestOf(changes)
  for (const change of removals) await applyRemoval(connection, change)
  for (const [kind, changes] of puts) await tellRows(connection, kind, changes, resolutionOf(kind))
}

const resolutionOf = (kind: Kind): Resolution => (scopeOf(kind) === 'shared' ? 'always' : 'newer')

function newestOf(changes: readonly Change[]): { removals: Change[]; puts: Map<Kind, (Change & StampedRow)[]> } {
  const newest = new Map<string, Change>()
  for (const change of changes) {
    const name = `${change.kind}\n${change.pool}\n${change.key}`
    const other = newest.get(name)
    if (!other || !isNewer(other.stamp, change.stamp)) newest.set(name, change)
  }
  const removals: Change[] = []
  const puts = new Map<Kind, (Change & StampedRow)[]>()
  for (const change of newest.values()) {
    const { kind, body } = change
    if (body === null) removals.push(change)
    else if (puts.get(kind)?.push({ ...change, body }) === undefined) puts.set(kind, [{ ...change, body }])
  }
  return { removals, puts }
}

/** Makes one change true here; answers whether anything is different now. */
export async function applyChange(connection: Connection, change: Change): Promise<boolean> {
  if (change.body === null) return (await applyRemoval(connection, change)).different
  return (await applyChanges(connection, [change])).length > 0
}

/** Writes rows as they are in the region that has the say, whatever is here. For copies alone: see replication/DESIGN.md. */
export async function replaceRows(connection: Connection, kind: Kind, rows: readonly StampedRow[]): Promise<void> {
  await tellRows(connection, kind, rows, 'always')
}

/** Writes those rows, all of one pool, that are not here yet; answers their keys. */
export async function addRows(connection: Connection, kind: Kind, rows: readonly StampedRow[]): Promise<Set<string>> {
  return new Set((await upsertRows(connection, kind, rows, 'absent')).map(({ key }) => key))
}

/** Removes rows without a trace in the log: what a copy does not find at its source. */
export async function sweepRows(
  connection: Connection,
  kind: Kind,
  { pool, keys }: { pool: string; keys: readonly string[] },
): Promise<void> {
  for (const some of inChunks(keys)) {
    await sql`delete from ${sql.table(tableOf(kind))} where pool = ${pool} and key in (${sql.join(some)})`.execute(
      connection,
    )
  }
}

/** Removes rows, without a trace in the log, that are still what was read of them. */
export async function removeAsRead(
  connection: Connection,
  kind: Kind,
  rows: readonly Pick<Row, 'pool' | 'key' | 'body'>[],
): Promise<void> {
  for (const some of inChunks(rows)) {
    const read = sql.join(some.map(({ pool, key, body }) => sql`(${pool}, ${key}, ${body})`))
    await sql`delete from ${sql.table(tableOf(kind))} where (pool, key, body) in (values ${read})`.execute(connection)
  }
}

/** Removes up to `limit` rows of a pool without a trace in the log; answers their keys. */
export async function eraseRows(
  connection: Connection,
  kind: Kind,
  { pool, limit }: { pool: string; limit: number },
): Promise<string[]> {
  const { rows } = await sql<{ key: string }>`
    delete from ${sql.table(tableOf(kind))} where pool = ${pool} and key in (
      select key from ${sql.table(tableOf(kind))} where pool = ${pool} order by key limit ${limit})
    returning key`.execute(connection)
  return rows.map(({ key }) => key)
}

const isNewer = (a: Stamp, b: Stamp): boolean => a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq)

async function applyRemoval(
  connection: Connection,
  { kind, pool, key, stamp, at }: Change,
): Promise<{ newer: boolean; different: boolean }> {
  const noted = await sql`
    insert into tombstones (pool, kind, key, epoch, seq, at)
    values (${pool}, ${kind}, ${key}, ${stamp.epoch}, ${stamp.seq}, ${at})
    on conflict (pool, kind, key) do update set epoch = excluded.epoch, seq = excluded.seq, at = excluded.at
    where (tombstones.epoch, tombstones.seq) < (excluded.epoch, excluded.seq) returning 1 as one`.execute(connection)
  if (noted.rows.length === 0) return { newer: false, different: false }
  const deleted = await sql`
    delete from ${sql.table(tableOf(kind))}
    where pool = ${pool} and key = ${key} and (epoch, seq) < (${stamp.epoch}, ${stamp.seq})
    returning 1 as one`.execute(connection)
  return { newer: true, different: deleted.rows.length > 0 }
}

/** Few sizes, so that statements are few and can be kept prepared. */
const CHUNKS = [256, 64, 32, 16, 8, 4, 2, 1] as const

function* inChunks<T>(list: readonly T[]): Generator<readonly T[]> {
  let at = 0
  for (const size of CHUNKS) {
    for (; list.length - at >= size; at += size) yield list.slice(at, at + size)
  }
}

/** What becomes of a row that is there already. */
type Resolution = 'newer' | 'always' | 'absent'

/** No two of the rows may have the same key. Answers those that were written. */
async function upsertRows(
  connection: Connection,
  kind: Kind,
  rows: readonly StampedRow[],
  when: Resolution,
): Promise<Address[]> {
  const written: Address[] = []
  for (const some of inChunks(rows)) written.push(...(await upsertion(kind, some, when).execute(connection)).rows)
  return written
}

/** The same, without an answer. */
async function tellRows(
  connection: Connection,
  kind: Kind,
  rows: readonly StampedRow[],
  when: Resolution,
): Promise<void> {
  for (const some of inChunks(rows)) await upsertion(kind, some, when, { told: true }).execute(connection)
}

/** Answers the rows that are written. `first`: what the statement does before; the stamps may speak of it. */
function upsertion(
  kind: Kind,
  rows: readonly (Omit<StampedRow, 'stamp'> & { stamp: { epoch: number; seq: number | RawBuilder<unknown> } })[],
  when: Resolution,
  { first, told = false }: { first?: RawBuilder<unknown>; told?: boolean } = {},
): RawBuilder<Address> {
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
  return sql<Address>`${told ? TOLD : sql``}
    with ${first ? sql`${first}, ` : sql``}coming (${columns}) as (values ${sql.join(values)})
    insert into ${table} (${columns}) select ${selected} from coming where ${alive}
    on conflict (pool, key) ${resolve} returning pool, key`
}
