import { sql } from 'kysely'
import type { Change } from './apply.ts'
import type { Connection, Engine } from './database.ts'
import { isKind } from './kinds.ts'
import { gatherStandings, type Standing, type StandingRow, selectStandings } from './standings.ts'

/**
 * All changes of one transaction. `position` orders transactions: it is what a follower remembers and acknowledges. `mark`
 * tells this transaction from another that came to have the same position in a log that was put back to an earlier state.
 */
export interface Batch {
  position: number
  mark: string
  /** When the transaction began, milliseconds since the epoch on the clock of this region. */
  at: number
  changes: Change[]
}

/** A stretch of the log. */
export interface Reading {
  log: string
  /** Everything up to this position has been removed: if it is past where the reading began, the reading may lack something. */
  trimmed: number
  batches: Batch[]
  /** Nothing that can be read follows. */
  drained: boolean
  /** Something has been committed that cannot be read yet: a transaction that began earlier is still running. */
  held: boolean
  /**
   * Whoever has all of `batches`, and they are `drained`, lacks nothing that was committed here before this moment
   * (milliseconds since the epoch).
   */
  asOf: number
  /** How regions stood to the pools that were asked about, when the log was as it was read. */
  standings: Map<string, Standing>
}

/** What is known of the log as a whole. */
export interface LogState {
  id: string
  /** The newest position that can be read; 0 when there has been none. */
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
  log: string | null
  trimmed: string | null
}

/** A row of a StandingRow among those of the log. */
interface AboutPool {
  tx: null
  pool: string
  kind: StandingRow['what']
  body: string
}

/**
 * Reads the log after a position, whole transactions only, in an order in which nothing can appear later before what has
 * been read: the numbers of transactions, and only those below the oldest one that has not ended. And with it how regions
 * stand to some pools (64 at most), so that whoever can guess of which pools the log will tell needs no second question.
 */
export async function readLog(
  engine: Engine,
  { after, limit, now, about = [] }: { after: number; limit: number; now: number; about?: readonly string[] },
): Promise<Reading> {
  const db = engine.logReader
  const none = sql`cast(null as bigint)`
  const standings =
    about.length === 0
      ? sql``
      : sql`union all
        select ${none}, null, null, ${none}, ${none}, pool, what, null, ${none}, told, null, ${none}
        from (${selectStandings(about)}) as standing`
  // One statement, and so one view of all of it. Of `tx >= …` alone PostgreSQL thinks that a third of the log is meant, and reads all of it.
  const found = await sql<(State & (Raw | Record<keyof Raw, null>)) | AboutPool>`
    with bound as materialized (select ${engine.horizonHere} as horizon),
      state as (select
        (select min(at) from changes where tx between (select horizon from bound) and ${sql.lit(Number.MAX_SAFE_INTEGER)}) as hidden,
        (select value from facts where name = ${LOG}) as log,
        (select value from facts where name = ${TRIMMED}) as trimmed),
      stretch as (select tx, seq, pool, kind, key, epoch, body, fields, at from changes
        where tx > ${after} and tx < (select horizon from bound) order by tx, seq limit ${limit})
    select state.*, stretch.* from state left join stretch on true
    ${standings} order by tx, seq`.execute(db)
  const rows: Raw[] = []
  const told: StandingRow[] = []
  let { hidden, log, trimmed }: State = { hidden: null, log: null, trimmed: null }
  for (const row of found.rows) {
    if (row.tx === null && row.kind !== null) told.push({ what: row.kind, pool: row.pool, told: row.body })
    else {
      ;({ hidden, log, trimmed } = row as State)
      if (row.tx !== null) rows.push(row)
    }
  }
  const last = rows.at(-1)
  const drained = rows.length < limit
  if (last && !drained) {
    const rest = await sql<Raw>`
      select tx, seq, pool, kind, key, epoch, body, fields, at from changes
      where tx = ${last.tx} and seq > ${last.seq} order by seq`.execute(db)
    rows.push(...rest.rows)
    // After it, so that what was removed or renewed meanwhile is noticed.
    log = (await readFact(db, LOG)) ?? null
    trimmed = (await readFact(db, TRIMMED)) ?? null
  }
  const batches: Batch[] = []
  for (const row of rows) {
    let batch = batches.at(-1)
    if (batch?.position !== row.tx) {
      batch = { position: row.tx, mark: '', at: row.at, changes: [] }
      batches.push(batch)
    }
    batch.mark = markOf(row)
    const change = toChange(row)
    if (change) batch.changes.push(change)
  }
  return {
    log: log ?? '',
    trimmed: Number(trimmed ?? 0),
    batches,
    drained,
    held: hidden !== null,
    asOf: Math.min(now, hidden ?? now),
    standings: gatherStandings(about, told),
  }
}

/** The transactions after a position, whole, in the order of the log. */
export async function readBatches(
  engine: Engine,
  { after, limit }: { after: number; limit: number },
): Promise<Batch[]> {
  return (await readLog(engine, { after, limit, now: 0 })).batches
}

/** The position of the newest transaction that can be read; 0 when there has been none. */
export async function readHead(engine: Engine): Promise<number> {
  return (await readLogState(engine)).head
}

/** The newest place of the log that a reader of rows has seen: it may be past what can be read of the log itself. */
export async function readNewest(engine: Engine): Promise<{ position: number; mark: string }> {
  const { rows } = await sql<{ tx: number; seq: number; at: number }>`
    select tx, seq, at from changes order by tx desc, seq desc limit 1`.execute(engine.reader)
  if (rows[0]) return { position: rows[0].tx, mark: markOf(rows[0]) }
  const { trimmed, trimmedMark } = await readLogState(engine)
  return { position: trimmed, mark: trimmedMark }
}

/** Everything up to this position has been removed from the log. */
export async function readTrimmed(db: Connection): Promise<number> {
  return Number((await readFact(db, TRIMMED)) ?? 0)
}

/**
 * Reads where the log begins and ends, and of the positions that are asked for the marks of those that it still has. One
 * statement, and so one view: a log that is trimmed meanwhile must not look like another one.
 */
export async function readLogState(
  engine: Engine,
  positions: readonly number[] = [],
  db: Connection = engine.reader,
): Promise<LogState & { marks: ReadonlyMap<number, string> }> {
  const asked = sql`
    union all select 'place', tx, max(seq), max(at), null from changes where tx in (${sql.join(positions)}) group by tx`
  const { rows } = await sql<{ what: string; tx: number; seq: number; at: number; value: string }>`
    select 'head' as what, tx, seq, at, cast(null as text) as value from
      (select tx, seq, at from changes where tx < ${engine.horizonHere} order by tx desc, seq desc limit 1) as head
    ${positions.length > 0 ? asked : sql``}
    union all select name, null, null, null, value from facts where name in (${LOG}, ${TRIMMED}, ${TRIMMED_MARK})`.execute(
    db,
  )
  const factOf = (name: string): string | undefined => rows.find(({ what }) => what === name)?.value
  const newest = rows.find(({ what }) => what === 'head')
  const trimmed = Number(factOf(TRIMMED) ?? 0)
  const trimmedMark = factOf(TRIMMED_MARK) ?? ''
  const present = rows.filter(({ what }) => what === 'place').map((row): [number, string] => [row.tx, markOf(row)])
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
 * Gives the log an id if it has none. Answers whether the log cannot have been written by this database: it holds numbers
 * of transactions that the database has yet to give out, as after a dump was loaded into another server.
 */
export async function openLog(engine: Engine, id: string): Promise<{ transplanted: boolean }> {
  return engine.transaction(async (tx) => {
    await sql`insert into facts (name, value) values (${LOG}, ${id}) on conflict (name) do nothing`.execute(tx)
    const { rows } = await sql<{ tx: number | null }>`select max(tx) as tx from changes`.execute(tx)
    const newest = Math.max(rows[0]?.tx ?? 0, await readTrimmed(tx))
    return { transplanted: newest >= (await engine.transactionNumber(tx)) }
  })
}

/** The log begins anew under another id: no position in it means what it meant. `emptied`: what it holds cannot be read in order. */
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

/** The newest position at which the log is older than a moment, or further from its end than so many changes; 0 when none is. */
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

const TRIM_CHANGES = 500

/**
 * Removes the log up to a position; answers how many changes went. In small transactions that do not wait for the disk: while one
 * runs, nothing that was committed after it began can be read. What a crash undoes is removed again.
 */
export async function trimChanges(engine: Engine, upTo: number): Promise<number> {
  const removeSome = async (tx: Connection): Promise<number> => {
    const bound = await sql<{ tx: number }>`
      select tx from changes where tx <= ${upTo} order by tx limit 1 offset ${TRIM_CHANGES}`.execute(tx)
    const newest = await sql<{ tx: number; seq: number; at: number }>`
      select tx, seq, at from changes where tx <= ${bound.rows[0]?.tx ?? upTo} order by tx desc, seq desc limit 1`.execute(
      tx,
    )
    const last = newest.rows[0]
    if (!last) return 0
    const { rows } = await sql`delete from changes where tx <= ${last.tx} returning 1 as one`.execute(tx)
    await writeFact(tx, TRIMMED, String(last.tx))
    await writeFact(tx, TRIMMED_MARK, markOf(last))
    return rows.length
  }
  let gone = 0
  for (;;) {
    const removed = await engine.transaction(removeSome, { relaxed: true })
    gone += removed
    if (removed === 0) return gone
  }
}

/** Forgets removed rows that were removed before a moment; not those of a pool that is being copied. */
export async function purgeTombstones(engine: Engine, before: number): Promise<void> {
  await engine.transaction((tx) =>
    sql`delete from tombstones where at < ${before} and pool not in (select pool from copies)`.execute(tx),
  )
}

const LOG = 'log'
const TRIMMED = 'trimmed'
const TRIMMED_MARK = 'trimmed-mark'

const markOf = ({ seq, at }: { seq: number; at: number }): string => `${seq}.${at}`

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
    fields: row.fields === null ? {} : (JSON.parse(row.fields) as Record<string, string | null>),
    stamp: { epoch: row.epoch, seq: row.seq },
    at: row.at,
  }
}
