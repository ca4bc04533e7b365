import { setTimeout as wait } from 'node:timers/promises'
import { systemClock } from '@twinpool/server/internal/clock'
import { tableOf } from '@twinpool/server/internal/store/kinds'
import { openStore } from '@twinpool/server/internal/store/store'
import pg from 'pg'
import type { Stage } from '../stage.ts'
import type { BenchRegion } from './plane.ts'
import { type Watcher, watchPostgres } from './watcher.ts'

/**
 * PostgreSQL's own logical replication of the same rows, from the primary's database into a database with the same tables
 * and indexes on the secondary's server. https://www.postgresql.org/docs/current/logical-replication.html
 */
export interface Mirror {
  watcher: Watcher
  /** Subscribes, and waits for the initial sync. Returns its duration in seconds. */
  subscribe(): Promise<number>
  /** Ends the subscription, and empties the tables. */
  unsubscribe(): Promise<void>
}

const KINDS = ['user', 'alias', 'credential'] as const
const POLL_MILLISECONDS = 20
/** 16 MB each. */
const WAL_FILES = 48

export async function openMirror(
  stage: Stage,
  { publisher, subscriber }: { publisher: BenchRegion; subscriber: BenchRegion },
): Promise<Mirror> {
  const from = urlOf(publisher)
  const to = new URL(urlOf(subscriber))
  await query(to.href, 'create database mirror')
  to.pathname = '/mirror'
  const store = await openStore(
    { engine: 'postgres', url: to.href, connections: 2 },
    { clock: systemClock, region: 'mirror' },
  )
  await store.close()
  const tables = KINDS.map(tableOf).join(', ')
  await query(from, `create publication bench for table ${tables}`)
  const watcher = await watchPostgres('mirror', to.href)
  let subscribed = false
  const unsubscribe = async (): Promise<void> => {
    if (!subscribed) return
    await query(to.href, 'drop subscription bench')
    await query(to.href, `truncate ${tables}`)
    subscribed = false
  }
  stage.atEnd(async () => {
    // With a subscription, the publisher would shut down only after its timeout.
    await unsubscribe()
    await watcher.close()
  })
  return {
    watcher,
    subscribe: async () => {
      const began = performance.now()
      await query(to.href, `create subscription bench connection '${from}' publication bench`)
      subscribed = true
      for (;;) {
        const rows = await query(to.href, `select 1 from pg_subscription_rel where srsubstate <> 'r'`)
        if (rows.length === 0) return (performance.now() - began) / 1_000
        await wait(POLL_MILLISECONDS)
      }
    },
    unsubscribe,
  }
}

/**
 * Gives a new server WAL files that it can recycle, like a server that has run for a while. A new server fills each new
 * WAL file with 16 MB of zeros, while commits wait. https://www.postgresql.org/docs/current/wal-configuration.html
 */
export async function preallocateWal(region: BenchRegion): Promise<void> {
  const url = urlOf(region)
  for (let file = 0; file < WAL_FILES; file += 1) {
    await query(url, `select pg_logical_emit_message(true, 'bench', ''), pg_switch_wal()`)
  }
  await query(url, 'checkpoint')
}

function urlOf({ config: { store } }: BenchRegion): string {
  if (store.engine !== 'postgres') throw new Error('only a region on PostgreSQL can be mirrored')
  return store.url
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}
