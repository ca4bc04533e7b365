import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { engines } from '@twinpool/testing/regions'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import { sql } from 'kysely'
import type { Engine } from './database.ts'
import { openSqlite } from './sqlite.ts'
import { createThrottling, type Throttling } from './throttling.ts'

for (const engine of engines) {
  describe(`throttling state: ${engine}`, () => {
    let now = 0
    const clock = { now: () => now }
    let opened: TestStore
    let throttling: Throttling
    let names = 0
    let name = ''

    before(async () => {
      opened = await openTestStore(engine, { clock, region: 'us-west-2' })
      throttling = createThrottling({ engine: opened.store.engine, clock })
    })
    beforeEach(() => {
      now = 1_000
      names += 1
      name = `name ${names}`
    })
    after(() => opened.close())

    it('a used-once mark is set once, until it expires', async () => {
      assert.equal(await throttling.once(name, 100), true)
      now += 99
      assert.equal(await throttling.once(name, 100), false)
      now += 1
      assert.equal(await throttling.once(name, 100), true)
    })

    it('of many concurrent calls for a mark, one succeeds', async () => {
      const results = await Promise.all(Array.from({ length: 20 }, () => throttling.once(name, 100)))
      assert.equal(results.filter((fresh) => fresh).length, 1)
    })

    it('a counter loses no count, and restarts when its period, counted from the first count, has ended', async () => {
      const counts = await Promise.all(Array.from({ length: 20 }, () => throttling.count(name, 100)))
      assert.deepEqual(
        counts.sort((a, b) => a - b),
        Array.from({ length: 20 }, (_, at) => at + 1),
      )
      now += 99
      assert.equal(await throttling.count(name, 100), 21)
      now += 1
      assert.equal(await throttling.count(name, 100), 1)
    })

    it('expired rows are removed eventually', { skip: engine === 'sqlite' && 'the state is in memory' }, async () => {
      const left = async () => {
        const { rows } = await sql<{ count: number }>`
          select count(*) as count from brakes where name like ${`${name}/%`}`.execute(opened.store.db)
        return rows[0]?.count
      }
      for (let at = 0; at < 5; at += 1) await throttling.once(`${name}/${at}`, 100)
      await throttling.once(`${name}/lasting`, 1_000_000)
      assert.equal(await left(), 6)
      now += 100
      for (let at = 0; at < 500; at += 1) await throttling.release('another')
      assert.equal(await left(), 1)
    })

    it('a value is updated, kept for the time of its last update, and removed', async () => {
      const add = (milliseconds: number) =>
        throttling.update<{ sum: number }>(name, (present) => ({
          value: { sum: (present?.sum ?? 0) + 1 },
          milliseconds,
        }))
      assert.deepEqual(await add(10), { sum: 1 })
      assert.deepEqual(await add(50), { sum: 2 })
      now += 49
      assert.deepEqual(await throttling.read(name), { sum: 2 })
      now += 1
      assert.equal(await throttling.read(name), undefined)
      assert.deepEqual(await add(10), { sum: 1 })
      assert.equal(await throttling.update(name, () => ({ value: undefined, milliseconds: 0 })), undefined)
      assert.equal(await throttling.read(name), undefined)
    })

    it('a released mark can be set again', async () => {
      await throttling.once(name, 100)
      await throttling.release(name)
      await throttling.release(name)
      assert.equal(await throttling.once(name, 100), true)
    })

    it('names that look like SQL, and similar names, are different names', async () => {
      assert.equal(await throttling.once(`${name}'; drop table brakes; --`, 100), true)
      assert.equal(await throttling.once(`${name}%`, 100), true)
      assert.equal(await throttling.once(`${name.toUpperCase()}`, 100), true)
      assert.equal(await throttling.once(name, 100), true)
    })
  })
}

describe('throttling state in memory', () => {
  let now = 1_000
  const clock = { now: () => now }
  const inMemory = (budgets: Parameters<typeof createThrottling>[0]['budgets']) =>
    createThrottling({ engine: { name: 'sqlite' } as Engine, clock, budgets })

  it('is bounded: a new counter replaces the oldest, and costs no more at the bound', async () => {
    const counter = 100_000
    const throttling = inMemory({ counter })
    const count = async (prefix: string, names: number): Promise<number> => {
      const started = performance.now()
      for (let at = 0; at < names; at += 1) await throttling.count(`${prefix} ${at}`, 1_000_000)
      return performance.now() - started
    }
    const empty = await count('first', counter)
    const full = await count('more', counter / 10)
    assert.ok(full < empty, `${full} ms at the bound for a tenth of the counters that took ${empty} ms before`)
    assert.equal(await throttling.read('first 0'), undefined)
    assert.equal(await throttling.read('more 0'), 1)
    assert.equal(await throttling.read(`first ${counter - 1}`), 1)
  })

  it('refuses a used-once mark or a lockout above its budget, and keeps the others', async () => {
    const throttling = inMemory({ used: 2, lockout: 2 })
    const lock = (name: string) => throttling.update(name, () => ({ value: 1, milliseconds: 100 }), 'lockout')
    for (const add of [(name: string) => throttling.once(`used ${name}`, 100), lock]) {
      await add('one')
      await add('two')
      await assert.rejects(async () => add('three'), { name: 'BudgetFullError' })
    }
    assert.equal(throttling.hasRoom('lockout'), false)
    assert.equal(await throttling.once('used one', 100), false)
    assert.equal(await throttling.read('two'), 1)
    await lock('two')
    now += 1_000
    await lock('three')
    assert.equal(await throttling.once('used three', 100), true)
  })

  it('a flood of counters and of lockouts of unknown names pushes out no mark and no lockout', async () => {
    const throttling = inMemory({ counter: 3, 'decoy-lockout': 3 })
    const lock = (name: string, kind: 'lockout' | 'decoy-lockout') =>
      throttling.update(name, () => ({ value: 1, milliseconds: 100 }), kind)
    await throttling.once('mark', 100)
    await lock('user', 'lockout')
    for (let at = 0; at < 100; at += 1) {
      await throttling.count(`count ${at}`, 100)
      await lock(`nobody ${at}`, 'decoy-lockout')
    }
    assert.equal(await throttling.once('mark', 100), false)
    assert.equal(await throttling.read('user'), 1)
    assert.equal(await throttling.read('nobody 96'), undefined)
    assert.equal(await throttling.read('nobody 99'), 1)
  })
})

describe('throttling state of a SQLite region', { skip: !engines.includes('sqlite') }, () => {
  let now = 1_000
  const clock = { now: () => now }
  let directory: string
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'twinpool-throttling-'))
  })
  after(() => rmSync(directory, { recursive: true }))

  it('survives the end of the process, except counters', async () => {
    const file = join(directory, 'region.db')
    const first = openSqlite(file)
    const throttling = createThrottling({ engine: first, clock })
    const lock = { value: { count: 5, until: 9_000 }, milliseconds: 100 }
    await throttling.once('mark', 100)
    await throttling.once('short', 10)
    await throttling.once('released', 100)
    await throttling.release('released')
    await throttling.update('lock', () => lock, 'lockout')
    await throttling.count('count', 100)
    now += 10
    // The files of a process that was killed: not closed, and without its lock.
    const left = join(directory, 'left.db')
    for (const suffix of ['', '-wal']) cpSync(`${file}.throttling${suffix}`, `${left}.throttling${suffix}`)
    const second = openSqlite(left)
    const again = createThrottling({ engine: second, clock })
    assert.equal(await again.once('mark', 100), false)
    assert.equal(await again.once('short', 100), true)
    assert.equal(await again.once('released', 100), true)
    assert.deepEqual(await again.read('lock'), lock.value)
    assert.equal(await again.read('count'), undefined)
    now += 90
    assert.equal(await again.once('mark', 100), true)
    await first.close()
    await second.close()
  })

  it('begins anew if its file is damaged', async () => {
    const file = join(directory, 'damaged.db')
    writeFileSync(`${file}.throttling`, 'no database'.repeat(1_000))
    const engine = openSqlite(file)
    const throttling = createThrottling({ engine, clock })
    assert.equal(await throttling.once('mark', 100), true)
    await engine.close()
    const again = openSqlite(file)
    assert.equal(await createThrottling({ engine: again, clock }).once('mark', 100), false)
    await again.close()
  })
})

describe('throttling state of a region with several processes', { skip: !engines.includes('postgres') }, () => {
  let opened: TestStore
  let both: [Throttling, Throttling]
  const clock = { now: () => 1_000 }

  before(async () => {
    opened = await openTestStore('postgres', { clock, region: 'us-west-2' })
    const again = await opened.openAgain()
    both = [createThrottling({ engine: opened.store.engine, clock }), createThrottling({ engine: again.engine, clock })]
  })
  after(() => opened.close())

  it('all processes share marks and counters', async () => {
    const marks = await Promise.all(
      Array.from({ length: 20 }, (_, at) => (both[at % 2] as Throttling).once('mark', 100)),
    )
    assert.equal(marks.filter((fresh) => fresh).length, 1)
    await Promise.all(Array.from({ length: 20 }, (_, at) => (both[at % 2] as Throttling).count('count', 100)))
    assert.equal(await both[0].count('count', 100), 21)
  })

  it('is in an unlogged table', async () => {
    const { rows } = await sql<{ kept: string }>`
      select relpersistence as kept from pg_class where relname = 'brakes'`.execute(opened.store.db)
    assert.deepEqual(rows, [{ kept: 'u' }])
  })
})
