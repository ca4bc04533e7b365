import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { engines } from '@twinpool/testing/regions'
import { openTestStore } from '@twinpool/testing/stores'
import { sql } from 'kysely'
import { readLog } from './changes.ts'
import { kindNames, kinds, ONLY, tableOf } from './kinds.ts'
import { migrate } from './migrations.ts'
import { openStore, type Store } from './store.ts'

const region = 'us-west-2'
const clock = { now: () => 1 }

for (const engine of engines) {
  describe(`the schema: ${engine}`, () => {
    it('has a table for every kind', async () => {
      const opened = await openTestStore(engine, { clock, region })
      after(() => opened.close())
      for (const kind of kindNames) {
        const { rows } = await sql`select pool, key, body, epoch, seq from ${sql.table(tableOf(kind))}`.execute(
          opened.store.db,
        )
        assert.deepEqual(rows, [])
      }
    })

    it('is migrated once, and stored rows stay', async () => {
      const opened = await openTestStore(engine, { clock, region })
      after(() => opened.close())
      const topology = { pool: 'p', key: ONLY, body: JSON.stringify({ primary: region, epoch: 1 }) }
      await opened.store.write((tx) => tx.put('topology', topology))
      await migrate(opened.store.engine)
      assert.equal((await opened.store.find('topology', topology))?.body, topology.body)
    })

    it('of a newer version is refused and not changed', async () => {
      const opened = await openTestStore(engine, { clock, region })
      after(() => opened.close())
      await opened.store.transaction((connection) => sql`update schema_version set version = 999`.execute(connection))
      await assert.rejects(migrate(opened.store.engine), /schema version 999.*use a newer Twinpool/)
      const { rows } = await sql<{ version: number }>`select version from schema_version`.execute(opened.store.db)
      assert.deepEqual(
        rows.map(({ version }) => Number(version)),
        [999],
      )
    })
  })
}

describe('the planner of SQLite', () => {
  const indexed = kindNames.flatMap((kind) => kinds[kind].index.map((name) => ({ kind, name })))
  const planOf = async (store: Store, { kind, name }: (typeof indexed)[number], more = ''): Promise<string> => {
    const text = `explain query plan select * from ${tableOf(kind)} where pool = ? and i_${name} = ?${more} order by key limit ?`
    const rows = await store.engine.query<{ detail: string }>(text, ['p', 'value', ...(more ? ['after'] : []), 10])
    return rows.map(({ detail }) => detail).join('; ')
  }

  it('uses the index of every index column from the first open on, whatever the store contains', async () => {
    const opened = await openTestStore('sqlite', { clock, region })
    after(() => opened.close())
    for (const index of indexed) {
      const by = `SEARCH ${tableOf(index.kind)} USING INDEX ${tableOf(index.kind)}_${index.name} (pool=? AND i_${index.name}=?`
      assert.equal(await planOf(opened.store, index), `${by})`)
      assert.equal(await planOf(opened.store, index, ' and key > ?'), `${by} AND key>?)`)
    }
  })
})

describe('the planner of PostgreSQL', { skip: !engines.includes('postgres') && 'PostgreSQL is not selected' }, () => {
  it('finds rows by the primary key, although the table has no statistics', async () => {
    const opened = await openTestStore('postgres', { clock, region })
    after(() => opened.close())
    const { db } = opened.store
    const table = sql.table(tableOf('user'))
    await sql`alter table ${table} set (autovacuum_enabled = false)`.execute(db)
    await sql`insert into ${table} (pool, key, body, epoch, seq, i_enabled)
      select 'p', 'key ' || n, repeat('x', 500), 1, n, 'yes' from generate_series(1, 3000) as n`.execute(db)
    const plan = await sql<{ 'QUERY PLAN': string }>`
      explain select body from ${table} where pool = ${'p'} and key = ${'key 7'}`.execute(db)
    assert.match(plan.rows[0]?.['QUERY PLAN'] ?? '', /using row_user_pkey/)
  })

  it('never scans the whole log, with plans from before and after it was filled', async () => {
    const opened = await openTestStore('postgres', { clock, region })
    after(() => opened.close())
    const { engine } = opened.store
    for (const statement of ['alter table changes set (autovacuum_enabled = false)', 'analyze changes']) {
      await sql.raw(statement).execute(engine.logReader)
      // One connection: it keeps its plans from the fifth execution on, and reports its own number of scans.
      const scans = await engine.logReader.transaction().execute(async (logReader) => {
        const read = async () => {
          for (let time = 0; time < 10; time += 1) {
            await readLog({ ...engine, logReader }, { after: 0, limit: { changes: 100, bytes: 1_000_000 }, now: 1 })
          }
        }
        await read()
        await sql`insert into changes (tx, pool, kind, key, epoch, body, fields, at)
          select n, 'p', 'user', 'key ' || n, 1, repeat('x', 900), '{}', 1 from generate_series(1, 3000) as n`.execute(
          logReader,
        )
        await read()
        const { rows } = await sql<{ scans: number }>`
          select pg_stat_get_xact_numscans('changes'::regclass) as scans`.execute(logReader)
        return rows[0]?.scans
      })
      assert.equal(scans, 0)
    }
  })
})

describe('a store of a newer version', () => {
  it('is not opened, and its file is released', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'twinpool-test-'))
    after(() => rmSync(directory, { recursive: true, force: true }))
    const config = { engine: 'sqlite', file: join(directory, 'region.db') } as const
    const first = await openStore(config, { clock, region })
    const { rows } = await sql<{ version: number }>`select version from schema_version`.execute(first.db)
    await first.transaction((connection) => sql`update schema_version set version = 999`.execute(connection))
    await first.close()
    await assert.rejects(openStore(config, { clock, region }), /use a newer Twinpool/)

    const { openSqlite } = await import('./sqlite.ts')
    const repaired = openSqlite(config.file)
    await repaired.transaction((tx) => sql`update schema_version set version = ${rows[0]?.version}`.execute(tx))
    await repaired.close()
    await (await openStore(config, { clock, region })).close()
  })
})

describe('processes of one region that start at the same time', { skip: !engines.includes('postgres') }, () => {
  it('create the schema together', async () => {
    const opened = await openTestStore('postgres', { clock, region })
    after(() => opened.close())
    const { rows } = await sql<{ statement: string }>`
      select 'drop table ' || quote_ident(tablename) || ' cascade' as statement from pg_tables
      where schemaname = 'public'`.execute(opened.store.db)
    for (const { statement } of rows) await sql.raw(statement).execute(opened.store.db)
    await Promise.all(Array.from({ length: 4 }, () => opened.openAgain()))
    await opened.store.check()
  })
})
