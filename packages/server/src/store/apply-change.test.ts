import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { readBatches } from '@twinpool/testing/logs'
import { engines } from '@twinpool/testing/regions'
import { openTestStore, settled, type TestStore } from '@twinpool/testing/stores'
import fc from 'fast-check'
import { applyChange, type Change } from './apply.ts'
import { ONLY } from './kinds.ts'
import type { Store } from './store.ts'

const region = 'us-west-2'
const runs = { sqlite: 150, postgres: 40 } as const

interface Step {
  key: string
  body: string | null
  promoted: boolean
}

const step: fc.Arbitrary<Step> = fc.record({
  key: fc.constantFrom('a', 'b', 'c'),
  body: fc.option(fc.constantFrom('1', '2', '3'), { nil: null, freq: 3 }),
  promoted: fc.boolean(),
})

/** The writes of successive primaries: each promotion raises the epoch, and the new primary's numbers start anywhere. */
function historyOf(steps: readonly Step[], seed: number): Change[] {
  let epoch = 1
  let seq = 100
  return steps.map(({ key, body, promoted }, at) => {
    if (promoted) {
      epoch += 1
      seq = (seed + at * 37) % 100
    }
    seq += 1
    return { pool: '', kind: 'member', key, body, fields: { group_name: body, sub: key }, stamp: { epoch, seq }, at }
  })
}

/** The rows after every change is applied once and in order. */
function rowsOf(history: readonly Change[]): Map<string, string> {
  const rows = new Map<string, string>()
  for (const { key, body } of history) {
    if (body === null) rows.delete(key)
    else rows.set(key, body)
  }
  return rows
}

for (const engine of engines) {
  describe(`applying changes: ${engine}`, () => {
    let opened: TestStore
    let store: Store
    let pools = 0

    before(async () => {
      opened = await openTestStore(engine, { clock: { now: () => 1 }, region })
      store = opened.store
    })
    after(() => opened.close())

    async function apply(changes: readonly Change[], batch = changes.length): Promise<string> {
      pools += 1
      const pool = `${region}_apply${pools}`
      for (let at = 0; at < changes.length; at += batch) {
        await store.transaction(async (connection) => {
          for (const change of changes.slice(at, at + batch)) await applyChange(connection, { ...change, pool })
        })
      }
      return pool
    }

    it('applying a history in any order, with repetitions, gives the same rows', async () => {
      const arrivals = fc
        .tuple(fc.array(step, { minLength: 1, maxLength: 9 }), fc.nat(99))
        .map(([steps, seed]) => historyOf(steps, seed))
        .chain((history) =>
          fc.record({
            history: fc.constant(history),
            arriving: fc
              .tuple(
                fc.shuffledSubarray([...history], { minLength: history.length }),
                fc.array(fc.constantFrom(...history), { maxLength: 6 }),
                fc.nat(),
              )
              .map(([all, again, at]) => [...all.slice(0, at % all.length), ...again, ...all.slice(at % all.length)]),
            batch: fc.integer({ min: 1, max: 5 }),
          }),
        )
      await fc.assert(
        fc.asyncProperty(arrivals, async ({ history, arriving, batch }) => {
          const pool = await apply(arriving, batch)
          const rows = await store.list('member', { pool, limit: 10 })
          assert.deepEqual(new Map(rows.map(({ key, body }) => [key, body])), rowsOf(history))
          for (const { key, body, fields, stamp } of rows) {
            const last = history.filter((change) => change.key === key).at(-1)
            assert.deepEqual({ body, fields, stamp }, { body: last?.body, fields: last?.fields, stamp: last?.stamp })
          }
        }),
        { numRuns: runs[engine], seed: 20_261 },
      )
    })

    it('applyChange returns whether a row changed', async () => {
      const [first, second, removal] = historyOf(
        [
          { key: 'a', body: '1', promoted: false },
          { key: 'a', body: '2', promoted: false },
          { key: 'a', body: null, promoted: false },
        ],
        0,
      ) as [Change, Change, Change]
      const results = await store.transaction(async (connection) => {
        const changed: boolean[] = []
        for (const change of [second, first, second, removal, removal, second]) {
          changed.push(await applyChange(connection, { ...change, pool: 'returned' }))
        }
        return changed
      })
      assert.deepEqual(results, [true, false, false, true, false, false])
    })

    it('a removal that arrives before its row prevents the row', async () => {
      const [put, removal] = historyOf(
        [
          { key: 'a', body: '1', promoted: false },
          { key: 'a', body: null, promoted: false },
        ],
        0,
      ) as [Change, Change]
      const pool = await apply([removal, put], 1)
      assert.equal(await store.find('member', { pool, key: 'a' }), undefined)
    })

    it('a higher epoch wins against any number of the previous epoch', async () => {
      const change = (epoch: number, seq: number, body: string): Change => ({
        pool: '',
        kind: 'group',
        key: 'g',
        body,
        fields: {},
        stamp: { epoch, seq },
        at: 0,
      })
      const pool = await apply([change(2, 1, 'new'), change(1, Number.MAX_SAFE_INTEGER, 'old')], 1)
      const row = await store.find('group', { pool, key: 'g' })
      assert.deepEqual([row?.body, row?.stamp], ['new', { epoch: 2, seq: 1 }])
    })

    it('a replica that applies the log of a primary has the same rows', async () => {
      const replica = await openTestStore(engine, { clock: { now: () => 1 }, region: 'us-east-1' })
      try {
        const pool = `${region}_source`
        await store.write(async (tx) => {
          await tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: region, epoch: 1 }) })
          for (const key of ['a', 'b', 'c']) {
            await tx.put('member', { pool, key, body: key, fields: { group_name: 'g', sub: key } })
          }
          await tx.remove('member', { pool, key: 'b' })
          await tx.put('member', { pool, key: 'c', body: 'again' })
        })
        await settled(store)
        const batches = await readBatches(store.engine, { after: 0, limit: 1_000 })
        for (const { changes } of batches) {
          await replica.store.transaction(async (connection) => {
            for (const change of changes) await applyChange(connection, change)
          })
        }
        const rows = await store.list('member', { pool, limit: 10 })
        assert.deepEqual(
          rows.map(({ key }) => key),
          ['a', 'c'],
        )
        assert.deepEqual(await replica.store.list('member', { pool, limit: 10 }), rows)
        assert.deepEqual(
          await replica.store.find('topology', { pool, key: ONLY }),
          await store.find('topology', { pool, key: ONLY }),
        )
      } finally {
        await replica.close()
      }
    })
  })
}
