import { sql } from 'kysely'
import type { Connection, Engine } from './database.ts'
import { isKind } from './kinds.ts'
import type { Change } from './write.ts'

/** All changes of one transaction. `position` orders transactions: it is what a follower remembers and acknowledges. */
export interface Batch {
  position: number
  changes: Change[]
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

/**
 * Reads the log after a position, whole transactions only, in an order in which nothing can appear later before what has
 * been read: the numbers of transactions, and only those below the oldest one that has not ended.
 */
export async function readBatches(
  engine: Engine,
  { after, limit }: { after: number; limit: number },
): Promise<Batch[]> {
  return engine.reader.transaction().execute(async (db) => {
    const horizon = await engine.horizon(db)
    const { rows } = await sql<Raw>`
      select tx, seq, pool, kind, key, epoch, body, fields, at from changes
      where tx > ${after} and tx < ${horizon} order by tx, seq limit ${limit}`.execute(db)
    const last = rows.at(-1)
    if (last && rows.length === limit) {
      const rest = await sql<Raw>`
        select tx, seq, pool, kind, key, epoch, body, fields, at from changes
        where tx = ${last.tx} and seq > ${last.seq} order by seq`.execute(db)
      rows.push(...rest.rows)
    }
    const batches: Batch[] = []
    for (const row of rows) {
      if (batches.at(-1)?.position !== row.tx) batches.push({ position: row.tx, changes: [] })
      const change = toChange(row)
      if (change) batches.at(-1)?.changes.push(change)
    }
    return batches
  })
}

/** The position of the newest transaction that can be read; 0 when there has been none. */
export async function readHead(engine: Engine): Promise<number> {
  return engine.reader.transaction().execute(async (db) => {
    const horizon = await engine.horizon(db)
    const { rows } = await sql<{ head: number | null }>`
      select max(tx) as head from changes where tx < ${horizon}`.execute(db)
    return Math.max(rows[0]?.head ?? 0, await readTrimmed(db))
  })
}

/** Everything up to this position has been removed from the log. */
export async function readTrimmed(db: Connection): Promise<number> {
  const { rows } = await sql<{ value: string }>`select value from facts where name = 'trimmed'`.execute(db)
  return Number(rows[0]?.value ?? 0)
}

/** Removes the log, and the memory of removed rows, up to a position. */
export async function trimChanges(engine: Engine, upTo: number): Promise<number> {
  return engine.transaction(async (tx) => {
    const { rows } = await sql<{ seq: number; at: number }>`
      select max(seq) as seq, max(at) as at from changes where tx <= ${upTo}`.execute(tx)
    if (!rows[0]?.seq) return 0
    const gone = await sql<{ seq: number }>`delete from changes where tx <= ${upTo} returning seq`.execute(tx)
    await sql`
      insert into facts (name, value) values ('trimmed', ${String(upTo)})
      on conflict (name) do update set value = excluded.value`.execute(tx)
    await sql`delete from tombstones where at <= ${rows[0].at}`.execute(tx)
    return gone.rows.length
  })
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
