import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { engines } from '@twinpool/testing/regions'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import { ONLY } from './kinds.ts'
import { findRowsByKey, listRowsOfAllPools, listRowsWithin } from './rows.ts'
import type { Store } from './store.ts'

const region = 'us-west-2'
const pool = `${region}_rows`
const other = `${region}_other`
// In the order of their UTF-8 bytes, which differs from the order of a locale and of UTF-16.
const keys = ['', 'A', 'B', 'Z', 'a', 'a b', 'a!', 'a%', 'a/1', 'a/2', 'a_', 'b', 'z', 'é', 'ﬀ', '😀'].sort((a, b) =>
  Buffer.compare(Buffer.from(a), Buffer.from(b)),
)

for (const engine of engines) {
  describe(`reading rows: ${engine}`, () => {
    let opened: TestStore
    let store: Store

    before(async () => {
      opened = await openTestStore(engine, { clock: { now: () => 1 }, region })
      store = opened.store
      for (const name of [pool, other]) {
        await store.write(async (tx) => {
          await tx.put('topology', { pool: name, key: ONLY, body: JSON.stringify({ primary: region, epoch: 1 }) })
          for (const key of [...keys].reverse()) {
            await tx.put('group', { pool: name, key, body: key })
            await tx.put('member', {
              pool: name,
              key,
              body: key,
              fields: { group_name: key < 'a' ? 'low' : 'high', sub: key },
            })
          }
        })
      }
    })
    after(() => opened.close())

    const listed = async (query: { after?: string; prefix?: string; limit?: number }): Promise<string[]> =>
      (await store.list('group', { pool, limit: 100, ...query })).map(({ key }) => key)

    it('rows of one pool are listed in the byte order of their keys', async () => {
      assert.deepEqual(await listed({}), keys)
    })

    it('a page for the rest of a range has all of it, although rows are added or removed between its statements', async () => {
      const changing = `${region}_changing`
      const write = (put: readonly string[], remove: readonly string[] = []) =>
        store.write(async (tx) => {
          await tx.put('topology', { pool: changing, key: ONLY, body: JSON.stringify({ primary: region, epoch: 1 }) })
          for (const key of put) await tx.put('group', { pool: changing, key, body: 'x'.repeat(100) })
          for (const key of remove) await tx.remove('group', { pool: changing, key })
        })
      /** Reads a page; the change is made after its first statement. */
      const read = async (bytes: number, change: () => Promise<void>) => {
        let due = true
        const db = store.db.withPlugin({
          transformQuery: ({ node }) => node,
          transformResult: async ({ result }) => {
            if (due) {
              due = false
              await change()
            }
            return result
          },
        })
        const { rows, more } = await listRowsWithin(db, 'group', { pool: changing, limit: 100, bytes })
        return { keys: rows.map(({ key }) => key), more }
      }
      await write(['c', 'x', 'z'])
      assert.deepEqual(await read(10_000, () => write(['b'])), { keys: ['b', 'c', 'x', 'z'], more: false })
      assert.deepEqual(await read(10_000, () => write(['d'], ['b'])), { keys: ['c', 'd', 'x', 'z'], more: false })
      // The only row that fits disappears: the next one takes its place.
      assert.deepEqual(await read(100, () => write([], ['c', 'd', 'x'])), { keys: ['z'], more: true })
      await write([], ['z'])
    })

    it('reads inside and outside a transaction return the same rows, for every form of query', async () => {
      const forms = [{}, { where: { group_name: 'low' } }, { where: { sub: 'a/1', group_name: 'high' } }].flatMap(
        (form) =>
          [form, { ...form, prefix: 'a' }].flatMap((some) =>
            [some, { ...some, after: 'a!' }].flatMap((more) => [more, { ...more, until: 'a_' }]),
          ),
      )
      // Twice: the second time the statement is cached.
      for (const form of [...forms, ...forms]) {
        const query = { pool, limit: 5, ...form }
        const inside = await store.write((tx) => tx.list('member', query))
        assert.deepEqual(await store.list('member', query), inside, JSON.stringify(form))
      }
      for (const key of [...keys, 'none']) {
        const inside = await store.write((tx) => tx.find('member', { pool, key }))
        assert.deepEqual(await store.find('member', { pool, key }), inside)
      }
    })

    it('the bodies of several rows are read in one query, in the requested order', async () => {
      const wanted = [
        { kind: 'member', key: 'Z' },
        { kind: 'group', key: 'none' },
        { kind: 'topology', key: ONLY },
        { kind: 'group', key: 'a%' },
      ] as const
      const found = ['Z', undefined, JSON.stringify({ primary: region, epoch: 1 }), 'a%']
      for (let time = 0; time < 2; time += 1) assert.deepEqual(await store.bodies(pool, wanted), found)
      assert.deepEqual(await store.bodies('nowhere', wanted), [undefined, undefined, undefined, undefined])
    })

    it('pages of any size add up to the full list', async () => {
      for (const limit of [1, 2, 3, 5, 100]) {
        const seen: string[] = []
        for (let after: string | undefined; ; ) {
          const page = await listed({ limit, ...(after !== undefined && { after }) })
          seen.push(...page)
          if (page.length < limit) break
          after = page.at(-1)
        }
        assert.deepEqual(seen, keys)
      }
    })

    it('a prefix is taken literally', async () => {
      assert.deepEqual(await listed({ prefix: 'a/' }), ['a/1', 'a/2'])
      assert.deepEqual(await listed({ prefix: 'a%' }), ['a%'])
      assert.deepEqual(await listed({ prefix: 'a_' }), ['a_'])
      assert.deepEqual(await listed({ prefix: '😀' }), ['😀'])
      assert.deepEqual(await listed({ prefix: 'x' }), [])
      assert.deepEqual(await listed({ prefix: 'a/', after: 'a/1' }), ['a/2'])
    })

    it('rows are listed and counted by all given index columns', async () => {
      const high = keys.filter((key) => key >= 'a')
      const found = await store.list('member', { pool, where: { group_name: 'high' }, limit: 100 })
      assert.deepEqual(
        found.map(({ key }) => key),
        high,
      )
      assert.equal(await store.count('member', { pool, where: { group_name: 'high' } }), high.length)
      assert.equal(await store.count('member', { pool, where: { group_name: 'low', sub: 'A' } }), 1)
      assert.equal(await store.count('member', { pool, where: { group_name: 'low', sub: 'z' } }), 0)
      assert.equal(await store.count('member', { pool }), keys.length)
      assert.equal(await store.count('member', { pool: 'no such pool' }), 0)
    })

    it('text from a caller is never executed as SQL', async () => {
      const nasty = `'; drop table row_group; --`
      assert.equal(await store.find('group', { pool: nasty, key: nasty }), undefined)
      assert.deepEqual(await listed({ prefix: nasty }), [])
      assert.equal(await store.count('member', { pool, where: { sub: nasty } }), 0)
      assert.deepEqual(await listed({}), keys)
    })

    it('a key is found in all pools', async () => {
      const rows = await findRowsByKey(store.db, 'group', 'a/1')
      assert.deepEqual(
        rows.map((row) => row.pool),
        [other, pool].sort(),
      )
    })

    it('rows of all pools are listed in pages, in the order of pool and key', async () => {
      const seen: string[] = []
      for (let after: { pool: string; key: string } | undefined; ; ) {
        const page = await listRowsOfAllPools(store.db, 'group', { after, limit: 5 })
        seen.push(...page.map((row) => `${row.pool} ${row.key}`))
        if (page.length < 5) break
        after = page.at(-1)
      }
      assert.deepEqual(
        seen,
        [other, pool].sort().flatMap((name) => keys.map((key) => `${name} ${key}`)),
      )
    })
  })
}
