import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { readBatches, readHead } from '@twinpool/testing/logs'
import { engines, until } from '@twinpool/testing/regions'
import { CONNECTIONS, openTestStore, settled, type TestStore } from '@twinpool/testing/stores'
import fc from 'fast-check'
import { applyChange } from './apply.ts'
import { type Batch, hasPart, type Reading, readLog, readTrimmed, trimChanges } from './changes.ts'
import type { Engine } from './database.ts'
import { ONLY } from './kinds.ts'
import type { Store } from './store.ts'
import type { Transaction } from './write.ts'

const region = 'us-west-2'
const pool = `${region}_log`
const clock = { now: () => 1 }

/** A transaction that the test ends. */
interface OpenTransaction {
  tx: Transaction
  commit(): Promise<void>
  rollBack(): Promise<void>
}

const endings = new Set<PromiseWithResolvers<void>>()
/** Ends the transactions that a failed test left open: they would prevent closing the store. */
afterEach(() => {
  for (const ending of endings) ending.reject(new Error('the test has ended'))
  endings.clear()
})

async function begin(store: Store): Promise<OpenTransaction> {
  const opened = Promise.withResolvers<Transaction>()
  const ending = Promise.withResolvers<void>()
  endings.add(ending)
  const done = store.write(async (tx) => {
    opened.resolve(tx)
    await ending.promise
  })
  done.catch(() => {})
  return {
    tx: await opened.promise,
    commit: () => {
      ending.resolve()
      return done
    },
    rollBack: async () => {
      ending.reject(new Error('rolled back'))
      await assert.rejects(done, /rolled back/)
    },
  }
}

/** Reads from its last position, as a follower does. */
function createFollower(store: Store, limit = 1_000) {
  let position = 0
  const batches: Batch[] = []
  const follower = {
    batches,
    keys: () => batches.flatMap(({ changes }) => changes.map(({ key }) => key)),
    /** Reads everything that was committed. Waits for open transactions, including those of the test. */
    catchUp: async (): Promise<void> => {
      await settled(store)
      for (let before = -1; before < batches.length; ) {
        before = batches.length
        await follower.read()
      }
    },
    /** Reads one page of the readable log. */
    read: async (): Promise<void> => {
      const read = await readBatches(store.engine, { after: position, limit })
      batches.push(...read)
      position = read.at(-1)?.position ?? position
    },
  }
  return follower
}

/** Pipelined writes reach PostgreSQL with the next query: only then are locks and a transaction number taken. */
async function put(tx: Transaction, key: string, body = '1'): Promise<void> {
  await tx.put('group', { pool, key, body })
  await tx.find('group', { pool, key })
}

const keysOf = ({ batches }: Reading): string[][] => batches.map(({ changes }) => changes.map(({ key }) => key))

async function createPool(store: Store): Promise<void> {
  await store.write((tx) =>
    tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: region, epoch: 1 }) }),
  )
}

for (const engine of engines) {
  describe(`the log: ${engine}`, () => {
    let opened: TestStore
    let store: Store

    before(async () => {
      opened = await openTestStore(engine, { clock, region })
      store = opened.store
    })
    after(() => opened.close())

    it('is empty at first', async () => {
      assert.deepEqual(await readBatches(store.engine, { after: 0, limit: 10 }), [])
      assert.equal(await readHead(store.engine), 0)
      assert.equal(await readTrimmed(store.db), 0)
      await createPool(store)
    })

    it('returns each transaction once, complete and in order, with pages of any size', async () => {
      for (const [at, size] of [3, 1, 4, 2].entries()) {
        await store.write(async (tx) => {
          for (let n = 0; n < size; n += 1) await put(tx, `${at}.${n}`)
        })
      }
      const whole = createFollower(store)
      await whole.catchUp()
      for (const limit of [1, 2, 3]) {
        const follower = createFollower(store, limit)
        for (const _ of whole.batches) await follower.read()
        assert.deepEqual(follower.batches, whole.batches)
      }
      assert.deepEqual(
        whole.batches.slice(-4).map(({ changes }) => changes.map(({ key }) => key)),
        [['0.0', '0.1', '0.2'], ['1.0'], ['2.0', '2.1', '2.2', '2.3'], ['3.0', '3.1']],
      )
      assert.equal(await readHead(store.engine), whole.batches.at(-1)?.position)
    })

    it('reads as many bytes as wanted, and a transaction that is larger than that in parts', async () => {
      await settled(store)
      const after = await readHead(store.engine)
      await store.write((tx) => put(tx, 'small'))
      await store.write(async (tx) => {
        for (const key of ['one', 'two', 'three']) await put(tx, key, 'x'.repeat(1_000))
      })
      await settled(store)
      const bytes = { limit: { changes: 100, bytes: 1_500 }, whole: { changes: 100, bytes: 2_000 }, now: 1 }
      const first = await readLog(store.engine, { after, ...bytes })
      assert.deepEqual(keysOf(first), [['small']])
      const position = first.batches.at(-1)?.position as number
      const part = await readLog(store.engine, { after: position, ...bytes })
      assert.deepEqual([keysOf(part), part.batches[0]?.partial, part.drained], [[['one', 'two']], true, false])
      const { position: at, mark } = part.batches[0] as Batch
      assert.equal(await hasPart(store.engine, { position: at, mark }), true)
      assert.equal(await hasPart(store.engine, { position: at + 1, mark }), false)
      const rest = await readLog(store.engine, { after: position, part: { position: at, mark }, ...bytes })
      assert.deepEqual([keysOf(rest), rest.batches[0]?.partial], [[['three']], false])
      assert.equal((await readLog(store.engine, { after: at, ...bytes })).drained, true)
    })

    it('does not take the rest of a transaction that is being trimmed for all of it', async () => {
      await settled(store)
      const after = await readHead(store.engine)
      await store.write(async (tx) => {
        for (let n = 0; n < 600; n += 1) await tx.put('group', { pool, key: `trimmed ${n}`, body: '1' })
      })
      await settled(store)
      const head = await readHead(store.engine)
      let steps = 0
      const transaction: Engine['transaction'] = (work, options) => {
        steps += 1
        return steps > 1 ? Promise.reject(new Error('killed')) : store.engine.transaction(work, options)
      }
      await assert.rejects(trimChanges({ ...store.engine, transaction }, head), /killed/)
      const reading = await readLog(store.engine, { after, now: 1 })
      assert.equal(reading.trimmed, head)
      await trimChanges(store.engine, head)
      assert.deepEqual((await readLog(store.engine, { after: 0, now: 1 })).batches, [])
    })

    it('returns no change of an open or rolled back transaction', async () => {
      const follower = createFollower(store)
      await follower.catchUp()
      const known = follower.keys().length
      const head = await readHead(store.engine)
      const open = await begin(store)
      await put(open.tx, 'open')
      await follower.read()
      assert.equal(await readHead(store.engine), head)
      await open.rollBack()
      await store.write((tx) => put(tx, 'later'))
      await follower.catchUp()
      assert.deepEqual(follower.keys().slice(known), ['later'])
    })

    it('is trimmed up to a position; later entries stay, and numbers continue', async () => {
      await store.write((tx) => put(tx, 'trimmed'))
      const follower = createFollower(store)
      await follower.catchUp()
      const upTo = follower.batches.at(-1)?.position as number
      await store.write((tx) => put(tx, 'kept'))
      assert.ok((await trimChanges(store.engine, upTo)) > 0)
      assert.equal(await readTrimmed(store.db), upTo)
      assert.equal(await trimChanges(store.engine, upTo), 0)
      await settled(store)
      const after = await readBatches(store.engine, { after: 0, limit: 1_000 })
      assert.deepEqual(
        after.flatMap(({ changes }) => changes.map(({ key }) => key)),
        ['kept'],
      )
      await trimChanges(store.engine, after.at(-1)?.position as number)
      const head = await readHead(store.engine)
      assert.equal(head, after.at(-1)?.position)
      await store.write((tx) => put(tx, 'next'))
      await settled(store)
      const [next] = await readBatches(store.engine, { after: head, limit: 10 })
      assert.deepEqual(
        next?.changes.map(({ key }) => key),
        ['next'],
      )
      assert.ok((await store.find('group', { pool, key: 'next' }))?.stamp.seq === next?.changes[0]?.stamp.seq)
    })

    it('a removal that is not trimmed keeps its tombstone', async () => {
      await store.write((tx) => put(tx, 'first'))
      await settled(store)
      const head = await readHead(store.engine)
      await store.write((tx) => put(tx, 'doomed'))
      await settled(store)
      const [written] = await readBatches(store.engine, { after: head, limit: 1 })
      await store.write((tx) => tx.remove('group', { pool, key: 'doomed' }))
      await trimChanges(store.engine, head)
      const change = written?.changes[0] ?? assert.fail('no change')
      assert.equal(change.key, 'doomed')
      assert.equal(await store.transaction((connection) => applyChange(connection, change)), false)
      assert.equal(await store.find('group', { pool, key: 'doomed' }), undefined)
    })
  })
}

describe('the log of PostgreSQL under concurrent writes', { skip: !engines.includes('postgres') }, () => {
  let opened: TestStore
  let stores: [Store, Store]

  before(async () => {
    opened = await openTestStore('postgres', { clock, region })
    stores = [opened.store, await opened.openAgain()]
    await createPool(stores[0])
  })
  after(() => opened.close())

  it('is read while writes use all of their connections', async () => {
    const [here] = stores
    await settled(here)
    // Their share (postgres-connections.ts).
    const open = await Promise.all(Array.from({ length: (CONNECTIONS * 3) / 4 }, () => begin(here)))
    const [first] = await readBatches(here.engine, { after: 0, limit: 1 })
    assert.ok(first)
    for (const { rollBack } of open) await rollBack()
  })

  it('a reader never skips a transaction with a lower number', async () => {
    const [here, there] = stores
    const follower = createFollower(here)
    await follower.catchUp()
    const known = follower.keys().length
    const slow = await begin(here)
    await put(slow.tx, 'slow')
    await there.write((tx) => put(tx, 'quick'))
    await follower.read()
    assert.deepEqual(follower.keys().slice(known), [], 'later commits wait for the open transaction')
    await slow.commit()
    await follower.catchUp()
    assert.deepEqual(follower.keys().slice(known), ['slow', 'quick'])
  })

  it('a reader also waits for a transaction that has a number and has written nothing yet', async () => {
    const [here, there] = stores
    const follower = createFollower(there)
    await follower.catchUp()
    const known = follower.keys().length
    const slow = await begin(here)
    await here.engine.transactionNumber(slow.tx.connection)
    await there.write((tx) => put(tx, 'quick'))
    await follower.read()
    assert.equal(follower.keys().length, known)
    await put(slow.tx, 'slow')
    await slow.commit()
    await follower.catchUp()
    assert.deepEqual(follower.keys().slice(known), ['slow', 'quick'])
  })

  it('the log is in the order of transaction numbers, not of row numbers', async () => {
    // The slow transaction gets the higher row number and the lower transaction number.
    const [here, there] = stores
    const slow = await begin(here)
    await here.engine.transactionNumber(slow.tx.connection)
    await there.write((tx) => put(tx, 'row', 'quick'))
    await put(slow.tx, 'row', 'slow')
    await slow.commit()
    const row = await here.find('group', { pool, key: 'row' })
    assert.equal(row?.body, 'slow')
    await settled(here)
    const changes = (await readBatches(here.engine, { after: 0, limit: 1_000 }))
      .flatMap((batch) => batch.changes)
      .filter(({ key }) => key === 'row')
    assert.deepEqual(
      changes.map(({ body }) => body),
      ['slow', 'quick'],
    )
    assert.ok((changes[0]?.stamp.seq as number) > (changes[1]?.stamp.seq as number))
  })

  it('in every interleaving a follower reads each committed transaction exactly once', async () => {
    let round = 0
    const moves = fc.array(
      fc.record({ move: fc.constantFrom('begin', 'put', 'put', 'end', 'read'), pick: fc.nat(99) }),
      {
        minLength: 10,
        maxLength: 40,
      },
    )
    await fc.assert(
      fc.asyncProperty(moves, fc.integer({ min: 1, max: 4 }), async (plan, limit) => {
        round += 1
        const follower = createFollower(stores[0], limit)
        await follower.catchUp()
        const known = follower.batches.length
        const open: { transaction: OpenTransaction; keys: string[] }[] = []
        const committed: string[][] = []
        let count = 0
        const end = async (at: number, keep: boolean): Promise<void> => {
          const [ended] = open.splice(at, 1)
          if (!ended) return
          if (!keep) return ended.transaction.rollBack()
          await ended.transaction.commit()
          if (ended.keys.length > 0) committed.push(ended.keys)
        }
        for (const { move, pick } of plan) {
          const chosen = open[pick % Math.max(open.length, 1)]
          if (move === 'begin' && open.length < 6) {
            open.push({ transaction: await begin(stores[pick % 2] as Store), keys: [] })
          }
          if (move === 'put' && chosen) {
            count += 1
            const key = `${round}/${count}`
            chosen.keys.push(key)
            await put(chosen.transaction.tx, key)
          }
          if (move === 'end') await end(pick % Math.max(open.length, 1), pick % 4 !== 0)
          if (move === 'read') await follower.read()
        }
        while (open.length > 0) await end(0, true)
        await follower.catchUp()
        const read = follower.batches.slice(known).map(({ changes }) => changes.map(({ key }) => key))
        const byFirst = (a: string[], b: string[]) => String(a[0]).localeCompare(String(b[0]), 'en', { numeric: true })
        assert.deepEqual(read.sort(byFirst), committed.sort(byFirst))
      }),
      { numRuns: 25, seed: 4_711 },
    )
  })

  it('numbers of a row rise in the order of its locks, and a follower ends with the same rows', async () => {
    const keys = ['x', 'y', 'z']
    await settled(stores[0])
    const start = await readHead(stores[0].engine)
    await Promise.all(
      Array.from({ length: 60 }, (_, at) =>
        (stores[at % 2] as Store).write(async (tx) => {
          const key = keys[at % 3] as string
          // Half of the transactions have their number long before they lock the row.
          if (at % 4 < 2) await put(tx, `own/${at}`)
          const row = await tx.lock('group', { pool, key })
          await put(tx, key, String(Number(row?.body ?? 0) + 1))
        }),
      ),
    )
    await settled(stores[0])
    const batches = await readBatches(stores[0].engine, { after: start, limit: 1_000 })
    const changes = batches.flatMap((batch) => batch.changes)
    for (const key of keys) {
      const bodies = changes
        .filter((change) => change.key === key)
        .sort((a, b) => a.stamp.seq - b.stamp.seq)
        .map(({ body }) => Number(body))
      assert.deepEqual(
        bodies,
        Array.from({ length: 20 }, (_, n) => n + 1),
      )
    }
    const replica = await openTestStore('sqlite', { clock, region: 'us-east-1' })
    try {
      for (const batch of batches) {
        await replica.store.transaction(async (connection) => {
          for (const change of batch.changes) await applyChange(connection, change)
        })
      }
      for (const key of keys) {
        assert.deepEqual(await replica.store.find('group', { pool, key }), await stores[0].find('group', { pool, key }))
      }
    } finally {
      await replica.close()
    }
  })

  it('deadlocked writers both succeed', async () => {
    const [here, there] = stores
    let attempts = 0
    const bothHold = Promise.withResolvers<void>()
    let holding = 0
    const write = (store: Store, first: string, second: string) =>
      store.write(async (tx) => {
        attempts += 1
        await put(tx, first, first)
        holding += 1
        if (holding === 2) bothHold.resolve()
        await bothHold.promise
        // No query follows: PostgreSQL reports the deadlock at the commit.
        await tx.put('group', { pool, key: second, body: first })
      })
    await Promise.all([write(here, 'left', 'right'), write(there, 'right', 'left')])
    assert.equal(attempts, 3, 'PostgreSQL ended one of them, and it ran again')
    const [left, right] = await Promise.all(['left', 'right'].map((key) => here.find('group', { pool, key })))
    assert.equal(left?.body, right?.body)
  })

  it('the head waits for open transactions and then passes them', async () => {
    const [here] = stores
    await settled(here)
    const head = await readHead(here.engine)
    const slow = await begin(here)
    await put(slow.tx, 'slow')
    assert.equal(await readHead(here.engine), head)
    await slow.commit()
    await until(async () => (await readHead(here.engine)) > head)
  })
})
