import { sql } from 'kysely'
import type { Cursor } from './cursors.ts'
import type { Connection } from './database.ts'
import { ONLY, tableOf } from './kinds.ts'

/** The bodies of the rows that say how regions stand to a pool, and the peers that it is being copied from. */
export interface StandingRows {
  topology: string | undefined
  replicas: string[]
  copiedFrom: string[]
}

interface Raw {
  what: 'topology' | 'replica' | 'copy' | 'cursor'
  pool: string
  told: string
  position: number | null
}

/** Few sizes, so that statements are few and can be kept prepared. */
const SIZES = [1, 8, 64] as const
const MOST = 64
/** No pool has this id. */
const NOBODY = ''

/** Reads those of some pools, and where this region is in the log of a peer, in one question as far as they fit into one. */
export async function findStandingRows(
  db: Connection,
  pools: readonly string[],
  peer?: string,
): Promise<{ pools: Map<string, StandingRows>; cursor: Pick<Cursor, 'log' | 'position'> | undefined }> {
  const found = new Map(
    pools.map((pool): [string, StandingRows] => [pool, { topology: undefined, replicas: [], copiedFrom: [] }]),
  )
  let cursor: Pick<Cursor, 'log' | 'position'> | undefined
  for (let at = 0; at === 0 || at < pools.length; at += MOST) {
    for (const { what, pool, told, position } of await findSome(db, pools.slice(at, at + MOST), peer)) {
      const rows = found.get(pool)
      if (what === 'cursor') cursor = { log: told, position: position as number }
      else if (what === 'topology') (rows as StandingRows).topology = told
      else (rows as StandingRows)[what === 'replica' ? 'replicas' : 'copiedFrom'].push(told)
    }
  }
  return { pools: found, cursor }
}

async function findSome(db: Connection, pools: readonly string[], peer: string | undefined): Promise<Raw[]> {
  const size = SIZES.find((size) => size >= pools.length) as number
  const these = sql.join([...pools, ...Array<string>(size - pools.length).fill(NOBODY)])
  const cursor = sql`union all select 'cursor', '', log, position from cursors where peer = ${peer}`
  const { rows } = await sql<Raw>`
    select 'topology' as what, pool, body as told, cast(null as bigint) as position
      from ${sql.table(tableOf('topology'))} where pool in (${these}) and key = ${ONLY}
    union all select 'replica', pool, body, null from ${sql.table(tableOf('replica'))} where pool in (${these})
    union all select 'copy', pool, peer, null from copies where pool in (${these})
    ${peer === undefined ? sql`` : cursor}`.execute(db)
  return rows
}
