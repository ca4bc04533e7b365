import { type RawBuilder, sql } from 'kysely'
import { type Cursor, kindsOf, parsePart, partOf, partPrefix } from './cursors.ts'
import type { Connection } from './database.ts'
import { parseStored } from './documents.ts'
import { ONLY, type Topology, tableOf } from './kinds.ts'
import type { Replica } from './merge.ts'

/** The roles of regions in a pool, as this region knows them. */
export interface PoolRoles {
  /** Undefined when this region does not hold the pool. */
  topology: Topology | undefined
  replicas: Replica[]
  /** The peers from which the pool is being copied. */
  copiedFrom: string[]
}

/** A database row that contributes to PoolRoles. `value`: the body of the row; for a copy, the peer that it copies from. */
export interface RoleRow {
  type: 'topology' | 'replica' | 'copy'
  pool: string
  value: string
}

/** The position of this region in the log of a peer; `kinds` is the raw column (see kindsOf). */
export type StoredCursor = Pick<Cursor, 'log' | 'position' | 'part'> & { kinds: string }

/** Maximum pools per query. */
const MAX_POOLS = 64
/** Numbers of pools that a query is padded to. Few sizes need few distinct statements, which can stay prepared. */
const SIZES = [1, 8, MAX_POOLS] as const
/** Padding: no pool has this id. */
const NO_POOL = ''

export async function readPoolRoles(db: Connection, pool: string): Promise<PoolRoles> {
  return (await readRoles(db, [pool])).get(pool) as PoolRoles
}

/** Reads the roles in several pools; the map has an entry for every pool. */
export async function readRoles(db: Connection, pools: Iterable<string>): Promise<Map<string, PoolRoles>> {
  const list = [...pools]
  return gatherRoles(list, (await readRolesAndCursor(db, list)).roles)
}

/** Reads the role rows of pools and the cursor for a peer: one query per MAX_POOLS pools. */
export async function readRolesAndCursor(
  db: Connection,
  pools: readonly string[],
  peer?: string,
): Promise<{ roles: RoleRow[]; cursor: StoredCursor | undefined }> {
  const roles: RoleRow[] = []
  let cursor: StoredCursor | undefined
  for (let at = 0; at === 0 || at < pools.length; at += MAX_POOLS) {
    const selected = selectRoles(pools.slice(at, at + MAX_POOLS))
    const withCursor = sql`
      select type, pool, value, cast(null as bigint) as position, cast(null as text) as part from (${selected}) as roles
      union all select 'cursor', coalesce(kinds, ''), log, position, part from cursors where peer = ${peer}`
    const { rows } = await sql<
      RoleRow | { type: 'cursor'; pool: string; value: string; position: number; part: string | null }
    >`${peer === undefined ? selected : withCursor}`.execute(db)
    for (const row of rows) {
      if (row.type === 'cursor') {
        const place = { log: row.value, position: row.position }
        cursor = { ...place, kinds: row.pool, part: parsePart(place, row.part) }
      } else roles.push(row)
    }
  }
  return { roles, cursor }
}

/**
 * A condition: `roles` (not empty) are all role rows of up to MAX_POOLS pools, and the cursor for the peer is at this place of
 * this log.
 */
export function rolesMatch(
  pools: readonly string[],
  roles: readonly RoleRow[],
  { peer, kinds, ...place }: Pick<Cursor, 'peer' | 'log' | 'position' | 'kinds' | 'part'>,
): RawBuilder<boolean> {
  const { log, position } = place
  const prefix = partPrefix(place)
  const part = partOf(place)
  const samePart = part
    ? sql`part = ${part}`
    : sql`(part is null or substr(part, 1, ${sql.lit(prefix.length)}) <> ${prefix})`
  const rows = sql.join(roles.map(({ type, pool, value }) => sql`(${type}, ${pool}, ${value})`))
  return sql<boolean>`(
    exists (select 1 from cursors where peer = ${peer} and log = ${log} and position = ${position} and ${samePart}
      ${kinds === undefined ? sql`` : sql`and kinds = ${kindsOf(log, kinds)}`})
    and ${roles.length} = (
      select case when count(*) = count(*) filter (where (type, pool, value) in (values ${rows})) then count(*) else -1 end
      from (${selectRoles(pools)}) as present))`
}

/** A SELECT of the role rows (RoleRow) of up to MAX_POOLS pools. */
export function selectRoles(pools: readonly string[]): RawBuilder<RoleRow> {
  const size = SIZES.find((size) => size >= pools.length) as number
  const padded = sql.join([...pools, ...Array<string>(size - pools.length).fill(NO_POOL)])
  return sql<RoleRow>`
    select 'topology' as type, pool, body as value from ${sql.table(tableOf('topology'))}
      where pool in (${padded}) and key = ${ONLY}
    union all select 'replica', pool, body from ${sql.table(tableOf('replica'))} where pool in (${padded})
    union all select 'copy', pool, peer from copies where pool in (${padded})`
}

/** Groups role rows by pool; the map has an entry for every pool. */
export function gatherRoles(pools: readonly string[], rows: readonly RoleRow[]): Map<string, PoolRoles> {
  const all = new Map(
    pools.map((pool): [string, PoolRoles] => [pool, { topology: undefined, replicas: [], copiedFrom: [] }]),
  )
  for (const { type, pool, value } of rows) {
    const roles = all.get(pool) as PoolRoles
    if (type === 'topology') roles.topology = parseStored('topology', value)
    else if (type === 'replica') roles.replicas.push(parseStored('replica', value))
    else roles.copiedFrom.push(value)
  }
  return all
}
