import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { engines } from '@twinpool/testing/regions'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import { sql } from 'kysely'
import type { Engine } from './database.ts'
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
  const clock = { now: () => 1_000 }

  it('is bounded, and costs no more at the bound', async () => {
    const capacity = 100_000
    const throttling = createThrottling({ engine: { name: 'sqlite' } as Engine, clock, capacity })
    const mark = async (prefix: string, count: number): Promise<number> => {
      const started = performance.now()
      for (let at = 0; at < count; at += 1) await throttling.once(`${prefix} ${at}`, 1_000_000)
      return performance.now() - started
    }
    const empty = await mark('first', capacity)
    const full = await mark('more', capacity / 10)
    assert.ok(full < empty, `${full} ms at capacity for a tenth of the marks that took ${empty} ms before`)
    assert.equal(await throttling.read('first 0'), undefined)
    assert.equal(await throttling.read('more 0'), true)
    assert.equal(await throttling.read(`first ${capacity - 1}`), true)
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
