import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { readBatches } from '@twinpool/testing/logs'
import { engines } from '@twinpool/testing/regions'
import { openTestStore, settled, type TestStore } from '@twinpool/testing/stores'
import { sql } from 'kysely'
import { applyChange, type Change } from './apply.ts'
import { UnexpectedError } from './database.ts'
import { type Kind, ONLY, type Topology } from './kinds.ts'
import type { Store } from './store.ts'
import { NotPrimaryError, RowExistsError, type Transaction } from './write.ts'

const region = 'us-west-2'

for (const engine of engines) {
  describe(`writing rows: ${engine}`, () => {
    let now = 1_000
    let opened: TestStore
    let store: Store
    let pools = 0

    before(async () => {
      opened = await openTestStore(engine, { clock: { now: () => now }, region })
      store = opened.store
    })
    after(() => opened.close())

    /** Creates a pool for one test, with this or another region as its primary. */
    async function makePool(primary = region, epoch = 1): Promise<string> {
      pools += 1
      const pool = `${region}_pool${pools}`
      const body = JSON.stringify({ primary, epoch } satisfies Topology)
      await store.write((tx) =>
        tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: region, epoch }) }),
      )
      if (primary !== region) await store.write((tx) => tx.put('topology', { pool, key: ONLY, body }))
      return pool
    }

    const changesOf = async (pool: string, kind?: Kind): Promise<Change[]> => {
      await settled(store)
      return (await readBatches(store.engine, { after: 0, limit: 10_000 }))
        .flatMap(({ changes }) => changes)
        .filter((change) => change.pool === pool && (kind === undefined || change.kind === kind))
    }

    const refused = (work: (tx: Transaction) => Promise<unknown>, error: new (...a: never[]) => Error) =>
      assert.rejects(store.write(work), (thrown) => thrown instanceof error)

    it('a row is read as it was written, with its index columns', async () => {
      const pool = await makePool()
      await store.write((tx) =>
        tx.put('member', { pool, key: 'g/u', body: '{"a":"ü\\u0000"}', fields: { group_name: 'g', sub: 'u' } }),
      )
      const row = await store.find('member', { pool, key: 'g/u' })
      assert.deepEqual(
        { ...row, stamp: undefined },
        { pool, key: 'g/u', body: '{"a":"ü\\u0000"}', fields: { group_name: 'g', sub: 'u' }, stamp: undefined },
      )
      assert.equal(row?.stamp.epoch, 1)
    })

    it('an omitted field is null, also when the row had a value before', async () => {
      const pool = await makePool()
      await store.write((tx) => tx.put('member', { pool, key: 'm', body: '1', fields: { group_name: 'g', sub: 'u' } }))
      await store.write((tx) => tx.put('member', { pool, key: 'm', body: '2', fields: { sub: 'v' } }))
      assert.deepEqual((await store.find('member', { pool, key: 'm' }))?.fields, { group_name: null, sub: 'v' })
      assert.deepEqual(await store.list('member', { pool, where: { group_name: 'g' }, limit: 9 }), [])
    })

    it('every write of a row has a higher stamp than the previous write', async () => {
      const pool = await makePool()
      const stamps: number[] = []
      for (const body of ['1', '2', '3']) {
        await store.write((tx) => tx.put('group', { pool, key: 'g', body }))
        stamps.push((await store.find('group', { pool, key: 'g' }))?.stamp.seq as number)
      }
      assert.deepEqual(
        [...stamps].sort((a, b) => a - b),
        stamps,
      )
      assert.equal(new Set(stamps).size, 3)
    })

    it('row and log entry have the same stamp, body, fields and time', async () => {
      const pool = await makePool()
      now = 77_000
      await store.write((tx) => tx.put('credential', { pool, key: 'c', body: '"sealed"', fields: { sub: 's' } }))
      const row = await store.find('credential', { pool, key: 'c' })
      assert.deepEqual(await changesOf(pool, 'credential'), [
        { pool, kind: 'credential', key: 'c', body: '"sealed"', fields: { sub: 's' }, stamp: row?.stamp, at: 77_000 },
      ])
    })

    it('a removed row is not found, and the log has the removal', async () => {
      const pool = await makePool()
      await store.write((tx) => tx.put('group', { pool, key: 'g', body: '1' }))
      await store.write((tx) => tx.remove('group', { pool, key: 'g' }))
      assert.equal(await store.find('group', { pool, key: 'g' }), undefined)
      const [put, removal] = await changesOf(pool, 'group')
      assert.equal(removal?.body, null)
      assert.ok((removal?.stamp.seq as number) > (put?.stamp.seq as number))
    })

    it('a removed row can be written again', async () => {
      const pool = await makePool()
      await store.write((tx) => tx.put('group', { pool, key: 'g', body: '1' }))
      await store.write((tx) => tx.remove('group', { pool, key: 'g' }))
      await store.write((tx) => tx.insert('group', { pool, key: 'g', body: '2' }))
      assert.equal((await store.find('group', { pool, key: 'g' }))?.body, '2')
    })

    it('removing a missing row is not logged', async () => {
      const pool = await makePool()
      await store.write((tx) => tx.remove('group', { pool, key: 'none' }))
      assert.deepEqual(await changesOf(pool, 'group'), [])
    })

    it('insert refuses an existing row, and its transaction is rolled back', async () => {
      const pool = await makePool()
      await store.write((tx) => tx.insert('alias', { pool, key: 'a', body: '{}', fields: { sub: '1' } }))
      await refused(async (tx) => {
        await tx.put('group', { pool, key: 'half', body: '1' })
        await tx.insert('alias', { pool, key: 'a', body: '{}', fields: { sub: '2' } })
      }, RowExistsError)
      assert.equal((await store.find('alias', { pool, key: 'a' }))?.fields.sub, '1')
      assert.equal(await store.find('group', { pool, key: 'half' }), undefined)
      assert.deepEqual(await changesOf(pool, 'group'), [])
    })

    it('of concurrent inserts of the same key, one succeeds', async () => {
      const pool = await makePool()
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, (_, at) =>
          store.write((tx) => tx.insert('alias', { pool, key: 'a', body: '{}', fields: { sub: String(at) } })),
        ),
      )
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') assert.ok(outcome.reason instanceof RowExistsError, String(outcome.reason))
      }
    })

    it('counters under a lock lose no count', async () => {
      const pool = await makePool()
      await Promise.all(
        Array.from({ length: 20 }, () =>
          store.write(async (tx) => {
            const row = await tx.lock('code', { pool, key: 'n' })
            await tx.put('code', { pool, key: 'n', body: String(Number(row?.body ?? 0) + 1) })
          }),
        ),
      )
      assert.equal((await store.find('code', { pool, key: 'n' }))?.body, '20')
    })

    it('a transaction sees its own writes; other readers see them after the commit', async () => {
      const pool = await makePool()
      await store.write(async (tx) => {
        await tx.put('group', { pool, key: 'g', body: '1' })
        assert.equal((await tx.find('group', { pool, key: 'g' }))?.body, '1')
        assert.equal(await tx.count('group', { pool }), 1)
        assert.equal(await store.find('group', { pool, key: 'g' }), undefined)
        assert.equal(await store.count('group', { pool }), 0)
      })
      assert.equal(await store.count('group', { pool }), 1)
    })

    it('a pool whose primary is another region cannot be written', async () => {
      const pool = await makePool('us-east-1')
      await refused((tx) => tx.put('group', { pool, key: 'g', body: '1' }), NotPrimaryError)
      await refused((tx) => tx.insert('group', { pool, key: 'g', body: '1' }), NotPrimaryError)
      await refused((tx) => tx.remove('group', { pool, key: 'g' }), NotPrimaryError)
      assert.equal(await store.find('group', { pool, key: 'g' }), undefined)
    })

    it('a pool without a topology cannot be written', async () => {
      await refused((tx) => tx.put('group', { pool: 'nobody', key: 'g', body: '1' }), NotPrimaryError)
    })

    it('a pool cannot be created with another region as its primary', async () => {
      const body = JSON.stringify({ primary: 'us-east-1', epoch: 1 } satisfies Topology)
      await refused((tx) => tx.put('topology', { pool: 'foreign', key: ONLY, body }), NotPrimaryError)
    })

    it('stamps have the epoch of the pool', async () => {
      const pool = await makePool(region, 7)
      await store.write((tx) => tx.put('group', { pool, key: 'g', body: '1' }))
      assert.equal((await store.find('group', { pool, key: 'g' }))?.stamp.epoch, 7)
    })

    it('a shared fact is written in any region and merged with the stored one', async () => {
      const pool = await makePool('us-east-1')
      const address = { pool, key: 'sub' }
      for (const moment of [5, 3, 9]) {
        await store.write((tx) => tx.share('sign-out', { ...address, body: JSON.stringify({ before: moment }) }))
      }
      assert.equal((await store.find('sign-out', address))?.body, '{"before":9}')
    })

    it('a shared fact without new information is not logged', async () => {
      const pool = await makePool()
      const draft = { pool, key: 'family', body: '{"expires":5}' }
      await store.write((tx) => tx.share('revocation', draft))
      await store.write((tx) => tx.share('revocation', draft))
      await store.write((tx) => tx.share('revocation', { ...draft, body: '{"expires":4}' }))
      assert.equal((await changesOf(pool, 'revocation')).length, 1)
    })

    it('a regional row is set and unset in any region, and never reaches the log', async () => {
      const pool = await makePool('us-east-1')
      const logged = (await changesOf(pool)).length
      await store.write((tx) => tx.set('settings', { pool, key: ONLY, body: '1' }))
      await store.write((tx) => tx.set('settings', { pool, key: ONLY, body: '2' }))
      assert.equal((await store.find('settings', { pool, key: ONLY }))?.body, '2')
      await store.write((tx) => tx.unset('settings', { pool, key: ONLY }))
      assert.equal(await store.find('settings', { pool, key: ONLY }), undefined)
      assert.equal((await changesOf(pool)).length, logged)
    })

    it('removes many rows at once, each with its change; rows that do not exist leave none', async () => {
      const pool = await makePool()
      const keys = Array.from({ length: 70 }, (_, at) => `user ${at}`)
      await store.write(async (tx) => {
        for (const key of keys) await tx.put('user', { pool, key, body: '{}' })
      })
      await store.write((tx) => tx.removeAll('user', { pool, keys: [...keys.slice(1), 'missing'] }))
      assert.deepEqual(
        (await store.list('user', { pool, limit: 10 })).map(({ key }) => key),
        ['user 0'],
      )
      const removals = (await changesOf(pool)).filter(({ body }) => body === null)
      assert.deepEqual(removals.map(({ key }) => key).sort(), keys.slice(1).sort())
      assert.equal(new Set(removals.map(({ stamp }) => stamp.seq)).size, 69)
    })

    it('a transaction whose condition does not hold is rolled back completely', async () => {
      const pool = await makePool()
      await store.write((tx) => tx.put('user', { pool, key: 'ada', body: '{}' }))
      const expecting = (key: string): Promise<string> =>
        store.transaction(async (connection) => {
          await applyChange(connection, {
            pool,
            kind: 'user',
            key: 'before',
            body: '{}',
            fields: {},
            stamp: { epoch: 1, seq: 1 },
            at: now,
          })
          await store.engine.expect(
            connection,
            sql`exists (select 1 from row_user where pool = ${pool} and key = ${key})`,
          )
          return 'done'
        })
      await assert.rejects(expecting('bob'), UnexpectedError)
      assert.equal(await store.find('user', { pool, key: 'before' }), undefined)
      assert.equal(await expecting('ada'), 'done')
      assert.equal((await store.find('user', { pool, key: 'before' }))?.key, 'before')
    })

    it('work that throws leaves no row and no log entry', async () => {
      const pool = await makePool()
      await assert.rejects(
        store.write(async (tx) => {
          await tx.put('group', { pool, key: 'g', body: '1' })
          await tx.share('sign-out', { pool, key: 's', body: '{"before":1}' })
          await tx.set('settings', { pool, key: ONLY, body: '1' })
          throw new Error('the handler broke')
        }),
        /the handler broke/,
      )
      assert.equal((await changesOf(pool)).filter(({ kind }) => kind !== 'topology').length, 0)
      for (const kind of ['group', 'sign-out', 'settings'] as const) assert.equal(await store.count(kind, { pool }), 0)
    })

    it('listeners are notified of durable writes only', async () => {
      const pool = await makePool()
      const notified: string[] = []
      const stop = store.onChange((touched) => {
        for (const { kind, key } of touched ?? []) if (kind === 'client') notified.push(key)
      })
      const failing = store.write(async (tx) => {
        await tx.put('client', { pool, key: 'lost', body: '1' })
        throw new Error('no')
      })
      await assert.rejects(failing)
      await store.write(async (tx) => {
        await tx.put('client', { pool, key: 'c', body: '1' })
        assert.deepEqual(notified, [])
      })
      stop()
      await store.write((tx) => tx.put('client', { pool, key: 'unsubscribed', body: '1' }))
      assert.ok(notified.includes('c'))
      assert.ok(!notified.includes('lost') && !notified.includes('unsubscribed'))
    })
  })
}
