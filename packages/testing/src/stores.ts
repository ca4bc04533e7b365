import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '@twinpool/server/internal/clock'
import { readLog } from '@twinpool/server/internal/store/changes'
import { openStore, type Store } from '@twinpool/server/internal/store/store'
import { createDatabase, dropDatabase } from './databases.ts'
import { until } from './regions.ts'

/** The number of connections of a test store on PostgreSQL. */
export const CONNECTIONS = 8

export interface TestStore {
  store: Store
  /** The same store, as another process of the region opens it. PostgreSQL only. */
  openAgain(): Promise<Store>
  close(): Promise<void>
}

/** A store for one test: a file or a database. */
export async function openTestStore(
  engine: 'sqlite' | 'postgres',
  { clock, region }: { clock: Pick<Clock, 'now'>; region: string },
): Promise<TestStore> {
  const opened: Store[] = []
  const open = async (config: Parameters<typeof openStore>[0]): Promise<Store> => {
    const store = await openStore(config, { clock, region })
    opened.push(store)
    return store
  }
  const closeAll = async (): Promise<void> => {
    for (const store of opened) await store.close()
  }
  if (engine === 'sqlite') {
    const directory = mkdtempSync(join(tmpdir(), 'twinpool-test-'))
    return {
      store: await open({ engine, file: join(directory, 'region.db') }),
      openAgain: () => Promise.reject(new Error('one process per file')),
      close: async () => {
        await closeAll()
        rmSync(directory, { recursive: true, force: true })
      },
    }
  }
  const database = await createDatabase()
  const config = { engine, url: database.url, connections: CONNECTIONS } as const
  return {
    store: await open(config),
    openAgain: () => open(config),
    close: async () => {
      await closeAll()
      await dropDatabase(database)
    },
  }
}

/**
 * Waits until all committed changes can be read from the log. On PostgreSQL, a transaction that writes to any database of the
 * server holds the log back, including the transactions of other tests.
 */
export async function settled({ engine }: Pick<Store, 'engine'>): Promise<void> {
  await until(async () => !(await readLog(engine, { after: 0, now: 0 })).held, {
    what: 'the log to be readable up to its end',
  })
}
