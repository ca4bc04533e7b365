/** Transactions that are larger than a message: sent and applied in parts, each exactly once. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import {
  createDice,
  createSteppedClock,
  type KillableStore,
  KilledError,
  openKillableStore,
} from '@twinpool/testing/plane-of-stores'
import { engines } from '@twinpool/testing/regions'
import { settled } from '@twinpool/testing/stores'
import { removeCopy } from '../store/copies.ts'
import { ONLY } from '../store/kinds.ts'
import { CursorMovedError, createFollower, type Follower } from './follower.ts'
import { FIRST_RELEASE_KINDS } from './known-kinds.ts'
import type { Hello, Place } from './messages.ts'
import { openSupplier, type Supplier } from './supplier.ts'

const [PRIMARY, SECONDARY] = ['us-west-2', 'us-east-1'] as const
const pool = `${PRIMARY}_pool`
const SIZE = 7
const limits = {
  message: { changes: 2, bytes: 1_000_000 },
  whole: { changes: 3, bytes: 1_000_000 },
  pageBytes: 1_000_000,
}

for (const engine of engines) {
  describe(`a transaction that is larger than a message: ${engine}`, () => {
    let stores: KillableStore[]
    let supplier: Supplier
    let follower: Follower
    let hello: Hello
    let place: Place
    let runs = 0

    const [from, to] = [() => (stores[0] as KillableStore).store, () => (stores[1] as KillableStore).store]
    const read = () => supplier.read(SECONDARY, { log: hello.log, ...place })
    const follow = async (): Promise<void> => {
      for (;;) {
        const reading = (await read()) ?? assert.fail('the log cannot be read')
        if (reading.batches.length === 0) return
        await follower.apply(PRIMARY, { log: hello.log, ...place }, reading.batches, null)
        place = { position: reading.position, mark: reading.mark, part: reading.part }
      }
    }
    const users = (store = to()): Promise<number> => store.count('user', { pool })
    const write = async (names: readonly string[]): Promise<void> => {
      await from().write(async (tx) => {
        for (const key of names) await tx.put('user', { pool, key, body: '{}' })
      })
      await settled(from())
    }
    const greet = async (): Promise<Hello> => supplier.hello(SECONDARY, await follower.findResumePoint(PRIMARY))

    beforeEach(async () => {
      runs += 1
      const time = { now: 1_700_000_000_000 }
      const clock = createSteppedClock(createDice(1), time, 0)
      stores = []
      for (const region of [PRIMARY, SECONDARY]) {
        const name = `twinpool_parts_${process.pid}_${runs}_${stores.length}`
        stores.push(await openKillableStore(engine, { clock, region, name }))
      }
      supplier = await openSupplier({
        ...{ store: from(), clock, region: PRIMARY, limits },
        events: { noted: () => {} },
        retention: { milliseconds: Number.MAX_SAFE_INTEGER, changes: Number.MAX_SAFE_INTEGER },
      })
      follower = createFollower({
        store: { ...to(), transaction: (...call) => to().transaction(...call) },
        clock,
        region: SECONDARY,
      })
      await from().write(async (tx) => {
        await tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: PRIMARY, epoch: 1 }) })
        const replica = { region: SECONDARY, status: 'ACTIVE', version: 1 }
        await tx.share('replica', { pool, key: SECONDARY, body: JSON.stringify(replica) })
      })
      await settled(from())
      hello = await supplier.hello(SECONDARY, undefined)
      const { rows } = await supplier.inventory(SECONDARY, undefined)
      await to().transaction(async (connection) => {
        const { applyChanges } = await import('../store/apply.ts')
        const body = JSON.stringify({ primary: PRIMARY, epoch: 1 })
        const stamp = { epoch: 1, seq: 1 }
        await applyChanges(connection, [{ pool, kind: 'topology', key: ONLY, body, fields: {}, stamp, at: 1 }])
      })
      await follower.restart(PRIMARY, hello, rows)
      await to().transaction((connection) => removeCopy(connection, { pool, peer: PRIMARY }))
      place = { position: hello.position, mark: hello.mark }
      await write(Array.from({ length: SIZE }, (_, at) => `user ${at}`))
      await write(['after'])
    })
    afterEach(async () => {
      for (const store of stores) await store.close()
    })

    it('arrives in parts, and the changes after it too', async () => {
      const sizes: number[] = []
      for (let reading = await read(); reading && reading.batches.length > 0; reading = await read()) {
        sizes.push(reading.batches.reduce((sum, { changes }) => sum + changes.length, 0))
        await follower.apply(PRIMARY, { log: hello.log, ...place }, reading.batches, null)
        place = { position: reading.position, mark: reading.mark, part: reading.part }
      }
      assert.deepEqual(sizes, [3, 3, 1, 1])
      assert.equal(await users(), SIZE + 1)
      assert.equal((await follower.findCursor(PRIMARY))?.part, undefined)
    })

    it('is applied as one if it fits in a message of its own', async () => {
      await follow()
      await write(['a', 'b', 'c'])
      const reading = await read()
      assert.deepEqual(
        reading?.batches.map(({ changes, partial }) => [changes.length, partial]),
        [[3, undefined]],
      )
    })

    it('continues after its last applied part when the follower reconnects', async () => {
      const reading = (await read()) ?? assert.fail()
      await follower.apply(PRIMARY, { log: hello.log, ...place }, reading.batches, null)
      const cursor = await follower.findCursor(PRIMARY)
      assert.deepEqual([cursor?.position, cursor?.part], [hello.position, reading.part])
      hello = await greet()
      assert.equal(hello.standing, 'continues')
      assert.deepEqual(hello.part, reading.part)
      assert.deepEqual((await follower.resume(PRIMARY, hello)).gained, [])
      place = { position: hello.position, mark: hello.mark, part: hello.part }
      assert.equal((await read())?.batches[0]?.changes[0]?.[2], 'user 3')
      await follow()
      assert.equal(await users(), SIZE + 1)
    })

    it('has each part exactly once: a part is lost with the place after it, and a part that is sent twice is refused', async () => {
      const first = (await read()) ?? assert.fail()
      const start = { log: hello.log, ...place }
      ;(stores[1] as KillableStore).killNext()
      await assert.rejects(follower.apply(PRIMARY, start, first.batches, null), KilledError)
      ;(stores[1] as KillableStore).spare()
      assert.equal(await users(), 0)
      await follower.apply(PRIMARY, start, first.batches, null)
      await assert.rejects(follower.apply(PRIMARY, start, first.batches, null), CursorMovedError)
      place = { position: first.position, mark: first.mark, part: first.part }
      const second = (await read()) ?? assert.fail()
      await follower.apply(PRIMARY, { log: hello.log, ...place }, second.batches, null)
      await assert.rejects(
        follower.apply(PRIMARY, { log: hello.log, ...place }, second.batches, null),
        CursorMovedError,
      )
      assert.equal(await users(), 6)
    })

    it('is sent again from its start by a supplier that does not know parts, and changes nothing twice', async () => {
      const reading = (await read()) ?? assert.fail()
      await follower.apply(PRIMARY, { log: hello.log, ...place }, reading.batches, null)
      const { part: _, ...older } = await greet()
      await follower.resume(PRIMARY, older)
      assert.equal((await follower.findCursor(PRIMARY))?.part, undefined)
      place = { position: older.position, mark: older.mark }
      await follow()
      assert.equal(await users(), SIZE + 1)
    })

    it('is sent as one to a follower that does not know parts', async () => {
      const from = { log: hello.log, ...place }
      const reading = await supplier.read(SECONDARY, from, FIRST_RELEASE_KINDS, { parts: false })
      assert.deepEqual(
        reading?.batches.map(({ changes, partial }) => [changes.length, partial]),
        [[SIZE, undefined]],
      )
      assert.deepEqual([reading?.part, reading?.drained], [undefined, false])
    })

    it('is a sign of a log that went back, if the log does not have the part', async () => {
      const reading = (await read()) ?? assert.fail()
      await follower.apply(PRIMARY, { log: hello.log, ...place }, reading.batches, null)
      const point = (await follower.findResumePoint(PRIMARY)) ?? assert.fail()
      const forged = { position: point.part?.position ?? 0, mark: '999999.1' }
      assert.equal((await supplier.hello(SECONDARY, { ...point, part: forged })).standing, 'went-back')
    })
  })
}
