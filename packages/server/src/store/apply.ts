import { sql } from 'kysely'
import { type Connection, PIPELINED, type Touched } from './database.ts'
import { isCached, type Kind, kindsOwnedBy, scopeOf, tableOf } from './kinds.ts'
import type { Row, Stamp } from './rows.ts'
import { inChunks, pipelineRows, type Resolution, type StampedRow, upsertRows } from './upsert.ts'

/** One entry of the log: a written row, or its removal (body null). */
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
 * Applies the changes that are newer than the stored rows; idempotent and independent of order. The primary and its replicas
 * share this function. Of several changes of one row only the newest is applied. Returns the newer changes, including removals
 * of rows that did not exist.
 */
export async function applyChanges(connection: Connection, changes: readonly Change[]): Promise<Change[]> {
  const { removals, puts } = newestOf(changes)
  const applied = await applyRemovals(connection, removals)
  for (const [kind, changes] of puts) {
    const written = await upsertRows(connection, kind, changes, resolutionOf(kind))
    const names = new Set(written.map(({ pool, key }) => `${pool}\n${key}`))
    for (const change of changes) if (names.has(`${change.pool}\n${change.key}`)) applied.push(change)
  }
  return applied
}

/** Like applyChanges, pipelined: without reporting which changes were applied. */
export async function pipelineChanges(connection: Connection, changes: readonly Change[]): Promise<void> {
  const { removals, puts } = newestOf(changes)
  await applyRemovals(connection, removals, { pipelined: true })
  for (const [kind, changes] of puts) await pipelineRows(connection, kind, changes, resolutionOf(kind))
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

/** Applies one change; returns whether it was newer. */
export async function applyChange(connection: Connection, change: Change): Promise<boolean> {
  return (await applyChanges(connection, [change])).length > 0
}

/** Overwrites rows with the authoritative region's version. Only for copies: see replication/DESIGN.md. */
export async function replaceRows(connection: Connection, kind: Kind, rows: readonly StampedRow[]): Promise<void> {
  await pipelineRows(connection, kind, rows, 'always')
}

/** Inserts the given rows of one pool that do not exist yet; returns the keys of the inserted rows. */
export async function addRows(connection: Connection, kind: Kind, rows: readonly StampedRow[]): Promise<Set<string>> {
  return new Set((await upsertRows(connection, kind, rows, 'absent')).map(({ key }) => key))
}

/** Removes rows without logging: rows that a copy did not find at its source. */
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

/** Removes the rows that have not changed since they were read, without logging. */
export async function removeUnchanged(
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
 * Removes up to `limit` rows of a pool, of all kinds that it owns except `keep`, without logging; returns how many. Adds the rows
 * that caches must drop to `touched`.
 */
export async function erasePool(
  connection: Connection,
  touched: Touched[],
  { pool, keep, limit }: { pool: string; keep: readonly Kind[]; limit: number },
): Promise<number> {
  let remaining = limit
  for (const kind of kindsOwnedBy('pool')) {
    if (remaining === 0) break
    if (keep.includes(kind)) continue
    const keys = await eraseRows(connection, kind, { pool, limit: remaining })
    if (isCached(kind)) touched.push(...keys.map((key) => ({ kind, pool, key })))
    remaining -= keys.length
  }
  return limit - remaining
}

/** Removes up to `limit` rows of one kind in a pool, without logging; returns their keys. */
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

/**
 * Applies removals of distinct rows; returns the newer ones (none if pipelined), including removals of rows that did not exist.
 */
async function applyRemovals(
  connection: Connection,
  removals: readonly Change[],
  { pipelined = false }: { pipelined?: boolean } = {},
): Promise<Change[]> {
  const newer: Change[] = []
  const start = pipelined ? PIPELINED : sql``
  for (const [, together] of Map.groupBy(removals, ({ kind, pool }) => `${kind}\n${pool}`)) {
    for (const some of inChunks(together)) {
      const { kind, pool } = some[0] as Change
      const table = sql.table(tableOf(kind))
      const tombstones = some.map(
        ({ key, stamp, at }) => sql`(${pool}, ${kind}, ${key}, ${stamp.epoch}, ${stamp.seq}, ${at})`,
      )
      const recorded = await sql<{ key: string }>`${start}
        insert into tombstones (pool, kind, key, epoch, seq, at) values ${sql.join(tombstones)}
        on conflict (pool, kind, key) do update set epoch = excluded.epoch, seq = excluded.seq, at = excluded.at
        where (tombstones.epoch, tombstones.seq) < (excluded.epoch, excluded.seq) returning key`.execute(connection)
      // A tombstone that is newer than the removal removes the row, too. One pool: PostgreSQL scans the table for pairs.
      await sql`${start}
        delete from ${table} where pool = ${pool} and key in (${sql.join(some.map(({ key }) => key))})
          and (epoch, seq) < (select epoch, seq from tombstones
            where tombstones.pool = ${pool} and tombstones.kind = ${kind} and tombstones.key = ${table}.key)`.execute(
        connection,
      )
      const keys = new Set(recorded.rows.map(({ key }) => key))
      for (const change of some) if (keys.has(change.key)) newer.push(change)
    }
  }
  return newer
}
