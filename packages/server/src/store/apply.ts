import { sql } from 'kysely'
import type { Connection, Touched } from './database.ts'
import { isCached, type Kind, kindsOwnedBy, scopeOf, tableOf } from './kinds.ts'
import type { Row, Stamp } from './rows.ts'
import { inChunks, type Resolution, type StampedRow, tellRows, upsertRows } from './upsert.ts'

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

/**
 * Removes up to `limit` rows of a pool without a trace in the log, of all kinds that go with it but those to be kept; returns how many.
 * `touched` collects what caches must forget.
 */
export async function erasePool(
  connection: Connection,
  touched: Touched[],
  { pool, keep, limit }: { pool: string; keep: readonly Kind[]; limit: number },
): Promise<number> {
  let room = limit
  for (const kind of kindsOwnedBy('pool')) {
    if (room === 0) break
    if (keep.includes(kind)) continue
    const keys = await eraseRows(connection, kind, { pool, limit: room })
    if (isCached(kind)) touched.push(...keys.map((key) => ({ kind, pool, key })))
    room -= keys.length
  }
  return limit - room
}

/** Removes up to `limit` rows of a pool without a trace in the log; returns their keys. */
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
