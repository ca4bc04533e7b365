import { sql } from 'kysely'
import type { Change } from './apply.ts'
import { listFollowers, type Part } from './cursors.ts'
import type { Connection, Engine } from './database.ts'
import { isKind } from './kinds.ts'
import { gatherRoles, type PoolRoles, type RoleRow, selectRoles } from './roles.ts'

/**
 * All changes of one transaction. `position` orders transactions; a follower stores and acknowledges it. `mark` distinguishes
 * this transaction from another one with the same position in a log that was restored to an earlier state.
 */
export interface Batch {
  position: number
  mark: string
  /** Start of the transaction (ms since the epoch on the clock of this region). */
  at: number
  changes: Change[]
  /** More changes of the transaction follow in the log. `mark` is then that of the last change here. */
  partial: boolean
}

/** At least one change is read, however large it is. */
export interface ReadLimits {
  changes: number
  bytes: number
}

/** The result of reading a range of the log. */
export interface Reading {
  log: string
  /** The mark of the transaction at the requested position; undefined if the log does not have the transaction. */
  place: string | undefined
  /** Everything up to this position has been removed: if it is past the requested position, changes may be missing. */
  trimmed: number
  batches: Batch[]
  /** Nothing readable follows. */
  drained: boolean
  /** A committed transaction cannot be read yet, because an earlier one is still running. */
  held: boolean
  /**
   * If `drained`, a reader that has all of `batches` has everything that was committed here before this moment (ms since the
   * epoch).
   */
  asOf: number
  /** The roles of regions in the requested pools, from the same snapshot as the log. */
  roles: Map<string, PoolRoles>
}

export interface LogState {
  id: string
  /** The newest readable position; 0 when there is none. */
  head: number
  headMark: string
  /** Everything up to this position has been removed. */
  trimmed: number
  trimmedMark: string
}

interface Raw {
  tx: number
  seq: number
  pool: string
  kind: string
  key: string
  epoch: number
  body: string | null
  fields: string | null
  at: number
}

interface State {
  hidden: number | null
  /** The transaction of the change after the stretch. */
  following: number | null
  log: string | null
  trimmed: string | null
  trimmedMark: string | null
  /** Of the transaction at the requested position. */
  placeSeq: number | null
  placeAt: number | null
  /** Of the last change of the requested part. */
  partAt: number | null
}

/** A RoleRow in the columns of the log query. */
interface RoleInLog {
  tx: null
  pool: string
  kind: RoleRow['type']
  body: string
}

/**
 * Reads the log after a position, or after a part of the transaction that follows the position: complete transactions, in the order
 * of their numbers, and only below the oldest running one, so that no transaction can appear later with a lower number. A
 * transaction larger than `whole` is read in parts, each as the only batch. The same statement reads the mark at the place: without
 * it, a log that went back and then grew past the place would look continued. Also reads the roles in `pools` (64 at most): a caller
 * that guesses which pools the changes belong to needs no second query.
 */
export async function readLog(engine: Engine, query: LogQuery): Promise<Reading> {
  const { part, limit = READ_LIMITS.message, whole = READ_LIMITS.whole } = query
  if (part) {
    const rest = await readStretch(engine, { ...query, only: part.position }, whole)
    if (rest.batches.length > 0) return rest
  }
  const reading = await readStretch(engine, query, limit)
  const { batches } = reading
  const [first, ...others] = batches
  if (!batches.at(-1)?.partial) return reading
  if (first && others.length === 0) return readStretch(engine, { ...query, only: first.position }, whole)
  batches.pop()
  return { ...reading, drained: false }
}

export interface LogQuery {
  after: number
  part?: Part | undefined
  limit?: ReadLimits
  /** The limits of a single transaction that is larger than `limit`. */
  whole?: ReadLimits
  now: number
  pools?: readonly string[]
}

export const READ_LIMITS = {
  message: { changes: 500, bytes: 256 * 1024 },
  whole: { changes: 2_000, bytes: 512 * 1024 },
} as const satisfies Record<string, ReadLimits>
/** Approximate size of a change without its texts, as JSON. */
const CHANGE_BYTES = 100

async function readStretch(
  engine: Engine,
  { after, part, only, now, pools = [] }: LogQuery & { only?: number },
  { changes, bytes }: ReadLimits,
): Promise<Reading> {
  const db = engine.logReader
  const [fromTx, fromSeq] = part ? [part.position, seqOf(part.mark)] : [after, Number.MAX_SAFE_INTEGER]
  const none = sql`cast(null as bigint)`
  const roleRows =
    pools.length === 0
      ? sql``
      : sql`union all
        select ${none}, null, null, null, null, ${none}, ${none}, ${none},
          ${none}, ${none}, pool, type, null, ${none}, value, null, ${none}
        from (${selectRoles(pools)}) as roles`
  // For `tx > …` alone, PostgreSQL estimates a third of the log and scans all of it.
  const rest = sql`tx >= ${fromTx} and (tx, seq) > (${fromTx}, ${fromSeq}) and tx < (select horizon from bound)
    and tx <= ${only ?? Number.MAX_SAFE_INTEGER}`
  // One statement sees one snapshot. The sizes are read before the texts, so that no more texts are read than fit.
  const found = await sql<(State & (Raw | Record<keyof Raw, null>)) | RoleInLog>`
    with bound as materialized (select ${engine.horizonSql} as horizon),
      sizes as materialized (
        select tx, seq, length(key) as key_size, octet_length(body) as body_size, octet_length(fields) as fields_size
        from changes where ${rest} order by tx, seq limit ${changes} + 1),
      running as materialized (
        select tx, row_number() over (order by tx, seq) as number,
          sum(size) over (order by tx, seq rows unbounded preceding) - size as before
        from (select tx, seq,
          ${sql.lit(CHANGE_BYTES)} + key_size + coalesce(body_size, 0) + coalesce(fields_size, 0) as size from sizes) as sums),
      fitting as materialized (
        select count(*) as number from running where number <= ${changes} and (number = 1 or before < ${bytes})),
      state as (select
        (select at from changes where tx between (select horizon from bound) and ${sql.lit(Number.MAX_SAFE_INTEGER)}
          order by tx, seq limit 1) as hidden,
        (select tx from running where number = (select number + 1 from fitting)) as following,
        (select value from facts where name = ${LOG}) as log,
        (select value from facts where name = ${TRIMMED}) as trimmed,
        (select value from facts where name = ${TRIMMED_MARK}) as "trimmedMark",
        place.seq as "placeSeq", place.at as "placeAt",
        (select at from changes where tx = ${fromTx} and seq = ${fromSeq}) as "partAt"
        from (select 1) as one left join
          (select seq, at from changes where tx = ${after} order by seq desc limit 1) as place on true),
      stretch as (select tx, seq, pool, kind, key, epoch, body, fields, at from changes
        where ${rest} order by tx, seq limit (select number from fitting))
    select state.*, stretch.* from state left join stretch on true
    ${roleRows} order by tx, seq`.execute(db)
  const batches: Batch[] = []
  const roles: RoleRow[] = []
  let state: Partial<State> = {}
  for (const row of found.rows) {
    if (row.tx === null && row.kind !== null) {
      roles.push({ type: row.kind, pool: row.pool, value: row.body })
      continue
    }
    state = row as State
    if (row.tx === null) continue
    let batch = batches.at(-1)
    if (batch?.position !== row.tx) {
      batch = { position: row.tx, mark: '', at: row.at, changes: [], partial: row.tx === state.following }
      batches.push(batch)
    }
    batch.mark = markOf(row)
    const change = toChange(row)
    if (change) batch.changes.push(change)
  }
  const { hidden = null, following = null } = state
  return {
    log: state.log ?? '',
    place: placeOf(state, { after, part }),
    trimmed: Number(state.trimmed ?? 0),
    batches,
    drained: following === null && only === undefined,
    held: hidden !== null,
    // Every hidden transaction took its number, and so committed, after the first of them began.
    asOf: Math.min(now, hidden ?? now),
    roles: gatherRoles(pools, roles),
  }
}

/** The mark at a position; undefined if the log does not have the position, or not the part after it. */
function placeOf(
  { trimmed, trimmedMark, placeSeq, placeAt, partAt }: Partial<State>,
  { after, part }: Pick<LogQuery, 'after' | 'part'>,
): string | undefined {
  if (part && (partAt == null || markOf({ seq: seqOf(part.mark), at: partAt }) !== part.mark)) return undefined
  if (Number(trimmed ?? 0) === after) return trimmedMark ?? ''
  return placeSeq != null && placeAt != null ? markOf({ seq: placeSeq, at: placeAt }) : undefined
}

/** Whether the log contains the last change of a part. */
export async function hasPart(engine: Engine, { position, mark }: Part): Promise<boolean> {
  const { rows } = await sql<{ seq: number; at: number }>`
    select seq, at from changes where tx = ${position} and seq = ${seqOf(mark)}`.execute(engine.reader)
  return rows[0] !== undefined && markOf(rows[0]) === mark
}

/** Reads the newest position of the log that readers of rows can see; it may be past the newest readable position. */
export async function readNewest(engine: Engine): Promise<{ position: number; mark: string }> {
  const { rows } = await sql<{ tx: number; seq: number; at: number }>`
    select tx, seq, at from changes order by tx desc, seq desc limit 1`.execute(engine.reader)
  if (rows[0]) return { position: rows[0].tx, mark: markOf(rows[0]) }
  const { trimmed, trimmedMark } = await readLogState(engine)
  return { position: trimmed, mark: trimmedMark }
}

/** Reads the position up to which the log has been removed. */
export async function readTrimmed(db: Connection): Promise<number> {
  return Number((await readFact(db, TRIMMED)) ?? 0)
}

/**
 * Reads the beginning and end of the log, and the marks of those requested positions that it still has. One statement sees one
 * snapshot: a log that is trimmed at the same time must not look like another log.
 */
export async function readLogState(
  engine: Engine,
  positions: readonly number[] = [],
  db: Connection = engine.reader,
): Promise<LogState & { marks: ReadonlyMap<number, string> }> {
  const marks = sql`
    union all select 'position', tx, max(seq), max(at), null from changes where tx in (${sql.join(positions)}) group by tx`
  const { rows } = await sql<{ what: string; tx: number; seq: number; at: number; value: string }>`
    select 'head' as what, tx, seq, at, cast(null as text) as value from
      (select tx, seq, at from changes where tx < ${engine.horizonSql} order by tx desc, seq desc limit 1) as head
    ${positions.length > 0 ? marks : sql``}
    union all select name, null, null, null, value from facts where name in (${LOG}, ${TRIMMED}, ${TRIMMED_MARK})`.execute(
    db,
  )
  const factOf = (name: string): string | undefined => rows.find(({ what }) => what === name)?.value
  const newest = rows.find(({ what }) => what === 'head')
  const trimmed = Number(factOf(TRIMMED) ?? 0)
  const trimmedMark = factOf(TRIMMED_MARK) ?? ''
  const present = rows.filter(({ what }) => what === 'position').map((row): [number, string] => [row.tx, markOf(row)])
  return {
    id: factOf(LOG) ?? '',
    head: newest?.tx ?? trimmed,
    headMark: newest ? markOf(newest) : trimmedMark,
    trimmed,
    trimmedMark,
    marks: new Map([...present, [trimmed, trimmedMark]]),
  }
}

/**
 * Assigns an id to the log if it has none, and records the identity of the database (database.ts). Returns the identity that was
 * recorded before. `impossible`: this database cannot have written the log, because the log has transaction numbers that the
 * database has not reached yet, as after a dump was loaded into another server.
 */
export async function openLog(
  engine: Engine,
  tx: Connection,
  { id, identity }: { id: string; identity: string | undefined },
): Promise<{ id: string; previous: string | undefined; impossible: boolean }> {
  await sql`insert into facts (name, value) values (${LOG}, ${id}) on conflict (name) do nothing`.execute(tx)
  const previous = await readFact(tx, WRITER)
  if (identity !== undefined && identity !== previous) await writeFact(tx, WRITER, identity)
  const { rows } = await sql<{ tx: number | null }>`select max(tx) as tx from changes`.execute(tx)
  const newest = Math.max(rows[0]?.tx ?? 0, await readTrimmed(tx))
  const impossible = newest >= (await engine.transactionNumber(tx))
  return { id: (await readFact(tx, LOG)) ?? id, previous, impossible }
}

/**
 * Starts a new log with another id, which invalidates all positions. `emptied`: its entries cannot be read in order, remove them.
 */
export async function renewLog(
  connection: Connection,
  { id, emptied }: { id: string; emptied: boolean },
): Promise<void> {
  await writeFact(connection, LOG, id)
  if (!emptied) return
  await sql`delete from changes`.execute(connection)
  await writeFact(connection, TRIMMED, '0')
  await writeFact(connection, TRIMMED_MARK, '')
}

/**
 * The newest position that is older than `before`, or further than `changes` entries from the end of the log; 0 when there is
 * none.
 */
export async function findExcess(
  engine: Engine,
  { before, changes }: { before: number; changes: number },
): Promise<number> {
  const young = await sql<{ tx: number }>`
    select tx from changes where at >= ${before} order by tx limit 1`.execute(engine.reader)
  const surplus = await sql<{ tx: number }>`
    select tx from changes order by tx desc limit 1 offset ${changes}`.execute(engine.reader)
  const { head } = await readLogState(engine)
  return Math.min(head, Math.max(young.rows[0] ? young.rows[0].tx - 1 : head, surplus.rows[0]?.tx ?? 0))
}

/**
 * The entries of the log after a position: how many, estimated from their numbers, and when the oldest was written (ms since the
 * epoch). Reads only the ends, because the log may have millions of entries.
 */
export async function measureBacklog(
  engine: Engine,
  position: number,
): Promise<{ changes: number; oldestAt: number | undefined }> {
  const { rows } = await sql<{ seq: number; at: number; newest: number }>`
    select seq, at, (select max(seq) from changes) as newest from changes
    where tx > ${position} order by tx, seq limit 1`.execute(engine.reader)
  const [oldest] = rows
  return oldest
    ? { changes: Math.max(1, oldest.newest - oldest.seq + 1), oldestAt: oldest.at }
    : { changes: 0, oldestAt: undefined }
}

const TRIM_CHANGES = 500

/**
 * Removes the log up to a position; returns the number of removed changes. Uses small transactions that do not wait for the disk:
 * while one runs, later commits cannot be read. Entries that a crash restores are removed again. The position is marked as trimmed
 * before its last change is removed: no reader must take the rest of a transaction for all of it.
 */
export async function trimChanges(engine: Engine, upTo: number): Promise<number> {
  const removeSome = async (tx: Connection): Promise<number> => {
    const { rows } = await sql<{ tx: number; seq: number }>`
      select tx, seq from changes where tx <= ${upTo} order by tx, seq limit ${TRIM_CHANGES}`.execute(tx)
    const last = rows.at(-1)
    if (!last) return 0
    const newest = await sql<{ tx: number; seq: number; at: number }>`
      select tx, seq, at from changes where tx = ${last.tx} order by seq desc limit 1`.execute(tx)
    await writeFact(tx, TRIMMED, String(last.tx))
    await writeFact(tx, TRIMMED_MARK, markOf(newest.rows[0] as { seq: number; at: number }))
    await sql`delete from changes where tx <= ${last.tx} and (tx, seq) <= (${last.tx}, ${last.seq})`.execute(tx)
    return rows.length
  }
  let total = 0
  for (;;) {
    const removed = await engine.transaction(removeSome, { relaxed: true })
    total += removed
    if (removed === 0) return total
  }
}

/** Removes tombstones from before a moment, except in pools that are being copied. */
export async function purgeTombstones(engine: Engine, before: number): Promise<void> {
  await engine.transaction((tx) =>
    sql`delete from tombstones where at < ${before} and pool not in (select pool from copies)`.execute(tx),
  )
}

const LOG = 'log'
/** The identity of the database that wrote the log most recently. */
const WRITER = 'log-writer'
const TRIMMED = 'trimmed'
const TRIMMED_MARK = 'trimmed-mark'

const markOf = ({ seq, at }: { seq: number; at: number }): string => `${seq}.${at}`
const seqOf = (mark: string): number => Number.parseInt(mark, 10) || 0

async function readFact(db: Connection, name: string): Promise<string | undefined> {
  const { rows } = await sql<{ value: string }>`select value from facts where name = ${name}`.execute(db)
  return rows[0]?.value
}

async function writeFact(connection: Connection, name: string, value: string): Promise<void> {
  await sql`
    insert into facts (name, value) values (${name}, ${value})
    on conflict (name) do update set value = excluded.value`.execute(connection)
}

function toChange(row: Raw): Change | undefined {
  if (!isKind(row.kind)) return undefined
  return {
    pool: row.pool,
    kind: row.kind,
    key: row.key,
    body: row.body,
    fields: parseFields(row.fields),
    stamp: { epoch: row.epoch, seq: row.seq },
    at: row.at,
  }
}

/** The columns of a change; none if an entry of the log was altered, so that the entries after it can still be read. */
function parseFields(text: string | null): Record<string, string | null> {
  try {
    return (JSON.parse(text ?? '{}') as Record<string, string | null> | null) ?? {}
  } catch {
    return {}
  }
}

/**
 * Whether a peer has acknowledged every change of a row. False while that is unknown: the log is new, or was trimmed beyond the position
 * of the peer, which then copies its pools again.
 */
export async function hasAcknowledged(
  db: Connection,
  peer: string,
  { kind, pool, key }: { kind: string; pool: string; key: string },
): Promise<boolean> {
  const follower = (await listFollowers(db)).find((one) => one.peer === peer)
  if (!follower || follower.position < Number((await readFact(db, TRIMMED)) ?? 0)) return false
  const { rows } = await sql`
    select 1 from changes where pool = ${pool} and kind = ${kind} and key = ${key} and tx > ${follower.position} limit 1`.execute(
    db,
  )
  return rows.length === 0
}
