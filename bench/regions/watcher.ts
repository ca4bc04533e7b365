import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import type { Write } from './writing-region.ts'

/** Reads a store from outside to find which changes have arrived. */
export interface Watcher {
  name: string
  /** Returns the given writes that are visible now. */
  seen(writes: readonly Write[]): Promise<Write[]>
  /** Progress of the first copy; undefined if none is in progress. */
  copy(): Promise<CopyProgress | undefined>
  close(): Promise<void>
}

export interface CopyProgress {
  generation: string
  done: number
  total: number
}

const COPY = 'select generation, done, total from copies limit 1'

export async function watchPostgres(name: string, url: string): Promise<Watcher> {
  const client = new pg.Client({ connectionString: url, application_name: 'bench-watcher' })
  await client.connect()
  return {
    name,
    seen: async (writes) => {
      const { rows } = await client.query<{ token: string }>({
        name: 'seen',
        text: `select i_name as token from row_user
               where (pool, i_name) in (select * from unnest($1::text[], $2::text[]))`,
        values: [writes.map(({ pool }) => pool), writes.map(({ token }) => token)],
      })
      const tokens = new Set(rows.map(({ token }) => token))
      return writes.filter(({ token }) => tokens.has(token))
    },
    copy: async () => {
      const { rows } = await client.query<CopyProgress>(COPY)
      return rows[0] && { ...rows[0], done: Number(rows[0].done), total: Number(rows[0].total) }
    },
    close: () => client.end(),
  }
}

export async function watchSqlite(name: string, file: string): Promise<Watcher> {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 })
  const find = database.prepare('select 1 from row_user where pool = ? and i_name = ?')
  const copy = database.prepare(COPY)
  return {
    name,
    seen: async (writes) => writes.filter(({ pool, token }) => find.get(pool, token) !== undefined),
    copy: async () => copy.get() as CopyProgress | undefined,
    close: async () => database.close(),
  }
}
