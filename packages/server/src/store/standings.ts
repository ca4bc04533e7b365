import { type RawBuilder, sql } from 'kysely'
import { type Cursor, kindsOf } from './cursors.ts'
import type { Connection } from './database.ts'
import { ONLY, type Topology, tableOf } from './kinds.ts'
import type { Replica } from './merge.ts'

/** How regions stand to a pool, as one of them knows it. */
export interface Standing {
  /** Undefined when this region does not hold the pool. */
  topology: Topology | undefined
  replicas: Replica[]
  /** The peers from which the pool is being copied. */
  copiedFrom: string[]
}

/** A row that says some of it. `told`: the body of the row, or the peer that is copied from. */
export interface StandingRow {
  what: 'topology' | 'replica' | 'copy'
  pool: string
  told: string
}

/** Where this region is in the log of a peer; `kinds` as it stands in the table. */
export type Whereabouts = Pick<Cursor, 'log' | 'position'> & { kinds: string }

/** Of so many pools one question can be asked. */
const MOST_ASKED = 64
/** Few sizes, so that statements are few and can be kept prepared. */
const SIZES = [1, 8, MOST_ASKED] as const
/** No pool has this id. */
const NOBODY = ''

export async function readStanding(db: Connection, pool: string): Promise<Standing> {
  return (await readStandings(db, [pool])).get(pool) as Standing
}

/** The standings of pools, one for each. */
export async function readStandings(db: Connection, pools: Iterable<string>): Promise<Map<string, Standing>> {
  const asked = [...pools]
  return gatherStandings(asked, (await readToldAndCursor(db, asked)).told)
}

/** What is told of pools, and where this region is in the log of a peer, in one question as far as they fit into one. */
export async function readToldAndCursor(
  db: Connection,
  pools: readonly string[],
  peer?: string,
): Promise<{ told: StandingRow[]; cursor: Whereabouts | undefined }> {
  const told: StandingRow[] = []
  let cursor: Whereabouts | undefined
  for (let at = 0; at === 0 || at < pools.length; at += MOST_ASKED) {
    const those = selectStandings(pools.slice(at, at + MOST_ASKED))
    const both = sql`select what, pool, told, cast(null as bigint) as position from (${those}) as those
      union all select 'cursor', coalesce(kinds, ''), log, position from cursors where peer = ${peer}`
    const { rows } = await sql<StandingRow | { what: 'cursor'; pool: string; told: string; position: number }>`
      ${peer === undefined ? those : both}`.execute(db)
    for (const row of rows) {
      if (row.what === 'cursor') cursor = { log: row.told, position: row.position, kinds: row.pool }
      else told.push(row)
    }
  }
  return { told, cursor }
}

/** Whether the rows, one at least, are all that is told of some pools (64 at most), and this region is there in the log of a peer. */
export function areStandings(
  pools: readonly string[],
  told: readonly StandingRow[],
  { peer, log, position, kinds }: Pick<Cursor, 'peer' | 'log' | 'position' | 'kinds'>,
): RawBuilder<boolean> {
  const rows = sql.join(told.map(({ what, pool, told }) => sql`(${what}, ${pool}, ${told})`))
  return sql<boolean>`(
    exists (select 1 from cursors where peer = ${peer} and log = ${log} and position = ${position}
      ${kinds === undefined ? sql`` : sql`and kinds = ${kindsOf(log, kinds)}`})
    and ${told.length} = (
      select case when count(*) = count(*) filter (where (what, pool, told) in (values ${rows})) then count(*) else -1 end
      from (${selectStandings(pools)}) as present))`
}

/** A SELECT of the rows (StandingRow) of up to MOST_ASKED pools. */
export function selectStandings(pools: readonly string[]): RawBuilder<StandingRow> {
  const size = SIZES.find((size) => size >= pools.length) as number
  const these = sql.join([...pools, ...Array<string>(size - pools.length).fill(NOBODY)])
  return sql<StandingRow>`
    select 'topology' as what, pool, body as told from ${sql.table(tableOf('topology'))}
      where pool in (${these}) and key = ${ONLY}
    union all select 'replica', pool, body from ${sql.table(tableOf('replica'))} where pool in (${these})
    union all select 'copy', pool, peer from copies where pool in (${these})`
}

/** What rows say of the pools that were asked for, one standing for each. */
export function gatherStandings(pools: readonly string[], found: readonly StandingRow[]): Map<string, Standing> {
  const standings = new Map(
    pools.map((pool): [string, Standing] => [pool, { topology: undefined, replicas: [], copiedFrom: [] }]),
  )
  for (const { what, pool, told } of found) {
    const standing = standings.get(pool) as Standing
    if (what === 'topology') standing.topology = JSON.parse(told) as Topology
    else if (what === 'replica') standing.replicas.push(JSON.parse(told) as Replica)
    else standing.copiedFrom.push(told)
  }
  return standings
}
