import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { engines, until } from '@twinpool/testing/regions'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import { sql } from 'kysely'
import { type Cache, createCache } from './cache.ts'
import type { Touched } from './database.ts'
import { ONLY } from './kinds.ts'
import type { Store } from './store.ts'

const region = 'us-west-2'
const pool = `${region}_cache`
const clock = { now: () => 1 }

const createPool = (store: Store): Promise<void> =>
  store.write((tx) => tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: region, epoch: 1 }) }))

const write = (store: Store, key: string, body: string): Promise<void> =>
  store.write((tx) => tx.put('client', { pool, key, body }))

/** A cache of clients, and the keys that it loaded. */
function cacheOf(store: Store): { cache: Cache<string | undefined>; loads: string[] } {
  const loads: string[] = []
  const cache = createCache<string | undefined>(
    { store, bytesOf: () => 100 },
    async (key) => {
      loads.push(key)
      return (await store.find('client', { pool, key }))?.body
    },
    ({ kind, key }) => (kind === 'client' ? key : undefined),
  )
  return { cache, loads }
}

describe('a cache', () => {
  let notify: (touched: readonly Touched[] | undefined) => void = () => {}
  const store: Pick<Store, 'onChange'> = {
    onChange: (listener) => {
      notify = listener
      return () => {}
    },
  }
  const touched = (key: string): Touched[] => [{ kind: 'client', pool, key }]
  const staleName = ({ key }: Touched): string => key

  it('loads once for all concurrent callers', async () => {
    let loads = 0
    const cache = createCache({ store, bytesOf: () => 100 }, async () => ++loads, staleName)
    assert.deepEqual(await Promise.all([cache.get('a'), cache.get('a'), cache.get('a')]), [1, 1, 1])
  })

  it('does not keep a value that changed while it was loaded', async () => {
    const loading: PromiseWithResolvers<string>[] = []
    const load = (): Promise<string> => {
      loading.push(Promise.withResolvers<string>())
      return (loading.at(-1) as PromiseWithResolvers<string>).promise
    }
    const cache = createCache({ store, bytesOf: () => 100 }, load, staleName)
    const early = cache.get('a')
    notify(touched('a'))
    loading[0]?.resolve('old')
    assert.equal(await early, 'old')
    const late = cache.get('a')
    loading[1]?.resolve('new')
    assert.equal(await late, 'new')
    assert.equal(await cache.get('a'), 'new')
  })

  it('caches neither a failure nor a missing value', async () => {
    const results = [Promise.reject(new Error('down')), Promise.resolve(undefined), Promise.resolve('there')]
    const cache = createCache(
      { store, bytesOf: () => 100 },
      () => results.shift() as Promise<string | undefined>,
      staleName,
    )
    await assert.rejects(cache.get('a'), /down/)
    assert.equal(await cache.get('a'), undefined)
    assert.equal(await cache.get('a'), 'there')
    assert.equal(await cache.get('a'), 'there')
  })

  it('drops all entries when notifications may be lost', async () => {
    let loads = 0
    const cache = createCache({ store, bytesOf: () => 100 }, async () => ++loads, staleName)
    await cache.get('a')
    await cache.get('b')
    notify(undefined)
    assert.deepEqual([await cache.get('a'), await cache.get('b')], [3, 4])
  })

  it('never holds more than its capacity', async () => {
    const loads: string[] = []
    const load = async (name: string): Promise<string> => {
      loads.push(name)
      return name
    }
    const cache = createCache({ store, bytesOf: () => 1_000, capacityBytes: 3_000 }, load, staleName)
    for (const name of ['a', 'b', 'c', 'b', 'c', 'a']) await cache.get(name)
    assert.deepEqual(loads, ['a', 'b', 'c', 'a'])
  })
})

for (const engine of engines) {
  describe(`a cache over the store: ${engine}`, () => {
    let opened: TestStore
    let store: Store

    before(async () => {
      opened = await openTestStore(engine, { clock, region })
      store = opened.store
      await createPool(store)
    })
    after(() => opened.close())

    it('shows a change by this process at once', async () => {
      const { cache, loads } = cacheOf(store)
      await write(store, 'c', '1')
      assert.equal(await cache.get('c'), '1')
      assert.equal(await cache.get('c'), '1')
      await write(store, 'c', '2')
      assert.equal(await cache.get('c'), '2')
      await store.write((tx) => tx.remove('client', { pool, key: 'c' }))
      assert.equal(await cache.get('c'), undefined)
      assert.ok(loads.length >= 3)
    })

    it('is not emptied by a transaction that failed', async () => {
      const { cache } = cacheOf(store)
      await write(store, 'kept', '1')
      assert.equal(await cache.get('kept'), '1')
      const failing = store.write(async (tx) => {
        await tx.put('client', { pool, key: 'kept', body: '2' })
        throw new Error('no')
      })
      await assert.rejects(failing)
      assert.equal(await cache.get('kept'), '1')
    })
  })
}

describe('caches of several processes over one PostgreSQL', { skip: !engines.includes('postgres') }, () => {
  let opened: TestStore
  let here: Store
  let there: Store

  before(async () => {
    opened = await openTestStore('postgres', { clock, region })
    here = opened.store
    there = await opened.openAgain()
    await createPool(here)
  })
  after(() => opened.close())

  const shows = (cache: Cache<string | undefined>, key: string, body: string | undefined): Promise<boolean> =>
    until(async () => (await cache.get(key)) === body, { what: `${key} as ${body}` })

  it('a change by one process is visible in the other', async () => {
    const { cache } = cacheOf(there)
    await write(here, 'c', '1')
    await shows(cache, 'c', '1')
    await write(here, 'c', '2')
    await shows(cache, 'c', '2')
    await here.write((tx) => tx.remove('client', { pool, key: 'c' }))
    await shows(cache, 'c', undefined)
  })

  it('a transaction with more changes than one notification holds empties the caches', async () => {
    const { cache } = cacheOf(there)
    await write(here, 'many', '1')
    await shows(cache, 'many', '1')
    await here.write(async (tx) => {
      for (let n = 0; n < 300; n += 1) await tx.put('client', { pool, key: `client-${n}-${'x'.repeat(40)}`, body: '1' })
      await tx.put('client', { pool, key: 'many', body: '2' })
    })
    await shows(cache, 'many', '2')
  })

  it('changes of uncached kinds cause no notification', async () => {
    const received: (readonly Touched[] | undefined)[] = []
    const stop = there.onChange((touched) => received.push(touched))
    // Notifications arrive in commit order: after this one, none of an earlier write is outstanding.
    await write(here, 'before', '1')
    await until(() => received.flat().some((touched) => touched?.key === 'before'))
    received.length = 0
    await here.write((tx) => tx.put('user', { pool, key: 'u', body: '1' }))
    await write(here, 'marker', '1')
    await until(() => received.length > 0)
    stop()
    assert.deepEqual(received, [[{ kind: 'client', pool, key: 'marker' }]])
  })

  it('a change while the listener is disconnected is visible after it reconnects', async () => {
    const { cache } = cacheOf(there)
    for (const body of ['1', '2', '3']) {
      await write(here, 'cut', body)
      await shows(cache, 'cut', body)
      await sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'twinpool-listener-2' and datname = current_database()`.execute(here.db)
      await write(here, 'cut', `${body} while away`)
      await shows(cache, 'cut', `${body} while away`)
    }
  })

  it('a store can be closed while its listener reconnects', async () => {
    const brief = await opened.openAgain()
    await sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'twinpool-listener-2' and datname = current_database()`.execute(here.db)
    await brief.close()
    await until(async () => {
      const { rows } = await sql<{ count: number }>`
        select count(*) as count from pg_stat_activity
        where application_name = 'twinpool-listener-2' and datname = current_database()`.execute(here.db)
      return Number(rows[0]?.count) === 2
    })
  })
})
