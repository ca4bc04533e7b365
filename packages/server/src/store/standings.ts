import { type RawBuilder, sql } from 'kysely'
import type { Cursor } from './cursors.ts'
import type { Connection } from './database.ts'
import { ONLY, tableOf } from './kinds.ts'

/** The bodies of the rows that say how regions stand to a pool, and the peers that it is being copied from. */
export interface StandingRows {
  topology: string | undefined
  replicas: string[]
  copiedFrom: string[]
}

/** One of those rows. */
export interface StandingRow {
  what: 'topology' | 'replica' | 'copy'
  pool: string
  told: string
}

/** Of so many pools one question can be asked. */
const MOST_ASKED = 64
/** Few sizes, so that statements are few and can be kept prepared. */
const SIZES = [1, 8, MOST_ASKED] as const
/** No pool has this id. */
const NOBODY = ''

/** Reads those of some pools, and where this region is in the log of a peer, in one question as far as they fit into one. */
export async function findStandingRows(
  db: Connection,
  pools: readonly string[],
  peer?: string,
): Promise<{ pools: Map<string, StandingRows>; cursor: Pick<Cursor, 'log' | 'position'> | undefined }> {
  const found: StandingRow[] = []
  let cursor: Pick<Cursor, 'log' | 'position'> | undefined
  for (let at = 0; at === 0 || at < pools.length; at += MOST_ASKED) {
    const those = selectStandings(pools.slice(at, at + MOST_ASKED))
    const both = sql`select what, pool, told, cast(null as bigint) as position from (${those}) as those
      union all select 'cursor', '', log, position from cursors where peer = ${peer}`
    const { rows } = await sql<StandingRow | { what: 'cursor'; told: string; position: number }>`
      ${peer === undefined ? those : both}`.execute(db)
    for (const row of rows) {
      if (row.what === 'cursor') cursor = { log: row.told, position: row.position }
      else found.push(row)
    }
  }
  return { pools: gatherStandings(pools, found), cursor }
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

/** One for each of the pools that were asked for. */
export function gatherStandings(pools: readonly string[], found: readonly StandingRow[]): Map<string, StandingRows> {
  const gathered = new Map(
    pools.map((pool): [string, StandingRows] => [pool, { topology: undefined, replicas: [], copiedFrom: [] }]),
  )
  for (const { what, pool, told } of found) {
    const rows = gathered.get(pool) as StandingRows
    if (what === 'topology') rows.topology = told
    else rows[what === 'replica' ? 'replicas' : 'copiedFrom'].push(told)
  }
  return gathered
}
