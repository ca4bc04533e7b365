import { sql } from 'kysely'
import type { Connection } from './database.ts'
import type { Store } from './store.ts'

const NAME = 'region'

/** The region that the store belongs to; undefined for a store that no build with this fact has served yet. */
export async function findRegionName(db: Connection): Promise<string | undefined> {
  const { rows } = await sql<{ value: string }>`select value from facts where name = ${NAME}`.execute(db)
  return rows[0]?.value
}

/** The store belongs to another region: its keys, roles and log would be mistaken for those of this region. */
export class OtherRegionError extends Error {
  constructor({ found, configured }: { found: string; configured: string }) {
    super(`store: it belongs to the region ${found}, the configuration is of ${configured}`)
    this.name = 'OtherRegionError'
  }
}

/** Throws OtherRegionError. */
export async function checkRegionName({ db, region }: Pick<Store, 'db' | 'region'>): Promise<void> {
  const found = await findRegionName(db)
  if (found !== undefined && found !== region) throw new OtherRegionError({ found, configured: region })
}

/** Records the region of a store whose keys have opened: they are bound to the name of the region. */
export async function recordRegionName(store: Pick<Store, 'db' | 'region' | 'transaction'>): Promise<void> {
  if ((await findRegionName(store.db)) !== undefined) return
  await store.transaction(async (connection) => {
    await sql`insert into facts (name, value) values (${NAME}, ${store.region}) on conflict (name) do nothing`.execute(
      connection,
    )
  })
}
