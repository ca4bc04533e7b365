import { sql } from 'kysely'
import type { Connection } from './database.ts'
import { ONLY, tableOf } from './kinds.ts'

/** The bodies of the rows that say how regions stand to a pool, and the peers that it is being copied from. */
export interface StandingRows {
  topology: string | undefined
  replicas: string[]
  copiedFrom: string[]
}

/** Reads them in one question. */
export async function findStandingRows(db: Connection, pool: string): Promise<StandingRows> {
  const { rows } = await sql<{ what: 'topology' | 'replica' | 'copy'; told: string }>`
    select 'topology' as what, body as told from ${sql.table(tableOf('topology'))} where pool = ${pool} and key = ${ONLY}
    union all select 'replica', body from ${sql.table(tableOf('replica'))} where pool = ${pool}
    union all select 'copy', peer from copies where pool = ${pool}`.execute(db)
  const told = (wanted: 'topology' | 'replica' | 'copy') =>
    rows.filter(({ what }) => what === wanted).map((row) => row.told)
  return { topology: told('topology')[0], replicas: told('replica'), copiedFrom: told('copy') }
}
