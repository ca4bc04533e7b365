import assert from 'node:assert/strict'
import { linkSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { sql } from 'kysely'
import { ONLY } from './kinds.ts'
import { openSqlite } from './sqlite.ts'
import { openStore, type Store } from './store.ts'

const region = 'us-west-2'
const clock = { now: () => 1 }

describe('the store in a file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'twinpool-test-'))
  const file = join(directory, 'region.db')
  let store: Store

  before(async () => {
    // With a umask that lets others read.
    const mask = process.umask(0)
    store = await openStore({ engine: 'sqlite', file }, { clock, region })
    await store.write((tx) =>
      tx.put('topology', { pool: 'p', key: ONLY, body: JSON.stringify({ primary: region, epoch: 1 }) }),
    )
    process.umask(mask)
  })
  after(async () => {
    await store.close()
    rmSync(directory, { recursive: true, force: true })
  })

  it('is readable by its owner only, including its log', () => {
    const modes = readdirSync(directory).map((name) => [
      name,
      (statSync(join(directory, name)).mode & 0o777).toString(8),
    ])
    assert.deepEqual(Object.fromEntries(modes), {
      'region.db': '600',
      'region.db-lock': '600',
      'region.db-shm': '600',
      'region.db-wal': '600',
      'region.db-wal-owner': '600',
    })
  })

  /** https://www.sqlite.org/pragma.html#pragma_synchronous : 1 is NORMAL, 2 is FULL. */
  const readSettings = async (connection: Store['db']) => {
    const journal = await sql<{ journal_mode: string }>`pragma journal_mode`.execute(connection)
    const synchronous = await sql<{ synchronous: number }>`pragma synchronous`.execute(connection)
    return { ...journal.rows[0], ...synchronous.rows[0] }
  }

  it('has a write on the disk when the write resolves: write-ahead log, synchronous=FULL, for reader and writer', async () => {
    const full = { journal_mode: 'wal', synchronous: 2 }
    assert.deepEqual(await store.transaction(readSettings), full)
    assert.deepEqual(await readSettings(store.db), full)
  })

  it('does not wait for the disk at the end of a relaxed transaction; one flush covers all of them', async () => {
    const changes = () =>
      store.transaction(async (connection) => {
        const { rows } = await sql<{ changes: number }>`select total_changes() as changes`.execute(connection)
        return rows[0]?.changes ?? Number.NaN
      })
    const [relaxed, durable] = await Promise.all([
      store.transaction(readSettings, { relaxed: true }),
      store.transaction(readSettings),
    ])
    assert.deepEqual([relaxed.synchronous, durable.synchronous], [1, 2])
    await assert.rejects(store.transaction(() => Promise.reject(new Error('no')), { relaxed: true }))
    assert.deepEqual(await store.transaction(readSettings), durable)
    const before = await changes()
    await store.engine.flush()
    assert.equal(await changes(), before + 1, 'a flush writes once')
    await store.engine.flush()
    assert.equal(await changes(), before + 1, 'a second flush has nothing to do')
  })

  it('an open transaction does not block readers', async () => {
    const ending = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    const writing = store.write(async (tx) => {
      await tx.put('group', { pool: 'p', key: 'g', body: '1' })
      started.resolve()
      await ending.promise
    })
    await started.promise
    assert.equal(await store.find('group', { pool: 'p', key: 'g' }), undefined)
    ending.resolve()
    await writing
    assert.equal((await store.find('group', { pool: 'p', key: 'g' }))?.body, '1')
  })

  it('keeps its rows when it is opened again', async () => {
    await store.close()
    store = await openStore({ engine: 'sqlite', file }, { clock, region })
    assert.equal((await store.find('group', { pool: 'p', key: 'g' }))?.body, '1')
  })

  it('a file that is not a database is refused', async () => {
    const other = join(directory, 'other.db')
    writeFileSync(
      other,
      'not a database at all, but long enough to look like the head of one, had it been one.'.repeat(9),
    )
    await assert.rejects(async () => openStore({ engine: 'sqlite', file: other }, { clock, region }), /not a database/)
  })

  it('a backup put in the place of a file is not mixed with the log that a crashed process left', async () => {
    const [other, backup, left] = ['crashed.db', 'backup.db', 'left'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ]
    const note = (word: string) => sql`insert into notes values (${word})`
    const crashed = openSqlite(other)
    await crashed.transaction((tx) => sql`create table notes (word text)`.execute(tx))
    await crashed.transaction((tx) => note('kept').execute(tx))
    await sql`vacuum into ${backup}`.execute(crashed.reader)
    await crashed.transaction((tx) => note('lost').execute(tx))
    // Closing removes the log; another name keeps it, as a crash does.
    linkSync(`${other}-wal`, left)
    await crashed.close()
    renameSync(left, `${other}-wal`)
    renameSync(backup, other)

    const opened = openSqlite(other)
    const { rows } = await sql<{ word: string }>`select word from notes`.execute(opened.reader)
    await opened.close()
    assert.deepEqual(
      rows.map(({ word }) => word),
      ['kept'],
    )
  })

  it('a missing directory is reported', () => {
    assert.throws(() => openSqlite(join(directory, 'none', 'region.db')), /ENOENT/)
  })
})
