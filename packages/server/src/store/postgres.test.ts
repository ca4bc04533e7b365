import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { administer, createDatabase, dropDatabase, type TestDatabase } from '@twinpool/testing/databases'
import { engines, until } from '@twinpool/testing/regions'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import { sql } from 'kysely'
import pg from 'pg'
import { ONLY } from './kinds.ts'
import { openPostgres } from './postgres.ts'
import { openStore, type Store } from './store.ts'
import type { Transaction } from './write.ts'

const region = 'us-west-2'
const pool = `${region}_pipelined`

/** Writes are sent together with the next query: see pipelineStatements in postgres-connections.ts. */
describe('a pipelined write on PostgreSQL', {
  skip: !engines.includes('postgres') && 'PostgreSQL is not selected',
}, () => {
  let opened: TestStore
  let store: Store

  before(async () => {
    opened = await openTestStore('postgres', { clock: { now: () => 1 }, region })
    store = opened.store
    await store.write((tx) =>
      tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: region, epoch: 1 }) }),
    )
    await store.transaction((connection) =>
      sql`alter table row_group add constraint no_bad_key check (key not like 'bad%')`.execute(connection),
    )
  })
  after(() => opened.close())

  const put = (tx: Transaction, key: string): Promise<void> => tx.put('group', { pool, key, body: '{}' })
  const isThere = async (key: string): Promise<boolean> => (await store.find('group', { pool, key })) !== undefined
  const refusal = { code: '23514', constraint: 'no_bad_key' }

  it('is visible to later reads of the transaction', async () => {
    const found = await store.write(async (tx) => {
      await put(tx, 'a')
      await put(tx, 'b')
      return [await tx.find('group', { pool, key: 'a' }), await tx.count('group', { pool })]
    })
    assert.equal((found[0] as { key: string }).key, 'a')
    assert.equal(found[1], 2)
  })

  it('may exceed the buffer', async () => {
    const body = JSON.stringify({ text: 'x'.repeat(50_000) })
    const keys = Array.from({ length: 20 }, (_, at) => `large ${at}`)
    await store.write(async (tx) => {
      for (const key of keys) await tx.put('group', { pool, key, body })
    })
    const rows = await store.list('group', { pool, prefix: 'large', limit: 100 })
    assert.deepEqual(
      rows.map((row) => row.body),
      keys.map(() => body),
    )
  })

  it('fails the transaction at the commit with its own error, and leaves nothing', async () => {
    let runs = 0
    await assert.rejects(
      store.write(async (tx) => {
        runs += 1
        await put(tx, 'before')
        await put(tx, 'bad one')
        await put(tx, 'behind')
      }),
      refusal,
    )
    assert.equal(runs, 1)
    assert.deepEqual(await Promise.all(['before', 'bad one', 'behind'].map(isThere)), [false, false, false])
  })

  it('fails the next query with its own error, not with an error of the query', async () => {
    const caught: unknown[] = []
    await assert.rejects(
      store.write(async (tx) => {
        await put(tx, 'bad one')
        for (const key of ['a', 'b']) await tx.find('group', { pool, key }).catch((error) => caught.push(error.code))
      }),
      refusal,
    )
    assert.deepEqual(caught, [refusal.code, refusal.code])
  })

  it('does not affect later transactions on the same connection', async () => {
    for (const key of ['bad one', 'one', 'bad two', 'two']) {
      const writing = store.write((tx) => put(tx, key))
      if (key.startsWith('bad')) await assert.rejects(writing, refusal)
      else await writing
    }
    assert.deepEqual(await Promise.all(['one', 'two'].map(isThere)), [true, true])
  })

  it('is rolled back with a transaction whose work throws', async () => {
    const writing = store.write(async (tx) => {
      await put(tx, 'given up')
      throw new Error('never mind')
    })
    await assert.rejects(writing, /never mind/)
    await assert.rejects(
      store.write(async (tx) => {
        await put(tx, 'bad one')
        throw new Error('never mind')
      }),
      /never mind/,
    )
    assert.equal(await isThere('given up'), false)
  })

  it('is retried on another connection when the server has become a standby and refuses it', async () => {
    const standby = sql`set session characteristics as transaction read only`
    await store.transaction((connection) => standby.execute(connection))
    let runs = 0
    await store.write(async (tx) => {
      runs += 1
      await put(tx, 'moved')
    })
    assert.equal(runs, 2)
    assert.equal(await isThere('moved'), true)
  })
})

describe('the transaction that holds the log', {
  skip: !engines.includes('postgres') && 'PostgreSQL is not selected',
}, () => {
  const role = `twinpool_reader_${process.pid}`
  let database: TestDatabase
  let other: TestDatabase
  let holder: pg.Client

  before(async () => {
    database = await createDatabase()
    other = await createDatabase()
    await administer([`create role ${role} login password 'reader'`, `grant pg_write_all_data to ${role}`])
    await administer([`grant pg_read_all_data to ${role}`, `grant all on schema public to ${role}`], {
      server: database.url,
    })
    holder = new pg.Client({ connectionString: other.url })
    await holder.connect()
    await holder.query('begin')
    await holder.query('select pg_current_xact_id()')
  })
  after(async () => {
    await holder.end()
    for (const each of [database, other]) await dropDatabase(each)
    await administer(`drop owned by ${role}`).then(() => administer(`drop role ${role}`))
  })

  it('is found in any database of the server; its age only with the right to see it', async () => {
    const { rows } = await holder.query<{ pid: number }>('select pg_backend_pid() as pid')
    const pid = rows[0]?.pid
    const asReader = new URL(database.url)
    Object.assign(asReader, { username: role, password: 'reader' })
    for (const [url, mayRead] of [
      [database.url, true],
      [asReader.href, false],
    ] as const) {
      const engine = openPostgres(url)
      try {
        // Until then, transactions of other tests are older.
        const found = await until(async () => {
          const found = await engine.findHolder()
          return found?.pid === pid && found
        })
        assert.deepEqual([found.database, found.prepared], [other.name, undefined])
        assert.equal(found.transactionSeconds !== undefined, mayRead)
      } finally {
        await engine.close()
      }
    }
  })
})

describe('the clock of the database server', {
  skip: !engines.includes('postgres') && 'PostgreSQL is not selected',
}, () => {
  let database: TestDatabase
  before(async () => {
    database = await createDatabase()
  })
  after(() => dropDatabase(database))

  const setClock = (ahead: string): Promise<void> =>
    administer(
      `create or replace function public.clock_timestamp() returns timestamptz language sql volatile
        as $$ select pg_catalog.clock_timestamp() + interval '${ahead}' $$`,
      { server: database.url },
    )
  /** Sets the clock, and breaks the connections as a failover does. */
  const moveTo = async (ahead: string): Promise<void> => {
    const server = { server: database.url }
    await setClock(ahead)
    await administer(`alter database ${database.name} set search_path = public, pg_catalog`, server)
    await administer(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database.name}'
        and pid <> pg_backend_pid()`,
      server,
    )
  }

  it('is known from the first connection on, and of another server before a statement runs on it', async () => {
    const engine = openPostgres(database.url)
    const ahead = () => Math.round((engine.serverTime?.() as number) - Date.now())
    assert.equal(engine.serverTime?.(), undefined)
    try {
      for (const [interval, milliseconds] of [
        ['0 s', 0],
        ['3 s', 3_000],
        ['-1 h', -3_600_000],
      ] as const) {
        await moveTo(interval)
        await engine.transaction(async () => {
          assert.ok(Math.abs(ahead() - milliseconds) < 500, `${ahead()} ms`)
        })
      }
    } finally {
      await engine.close()
    }
  })

  it('is measured again when it was set under the connections', async () => {
    await moveTo('0 s')
    const store = await openStore({ engine: 'postgres', url: database.url }, { clock: Date, region })
    try {
      await setClock('1 h')
      const ahead = () => (store.engine.serverTime?.() as number) - Date.now()
      await until(() => Math.abs(ahead() - 3_600_000) < 500, { what: 'the new time' })
    } finally {
      await store.close()
    }
  })
})
