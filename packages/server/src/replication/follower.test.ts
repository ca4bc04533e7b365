/** How a follower treats the batches that it receives. */
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
import type { Clock } from '../clock.ts'
import { applyChanges, type Change } from '../store/apply.ts'
import { listCopies, listTouched, removeCopy } from '../store/copies.ts'
import type { Engine } from '../store/database.ts'
import { ONLY, type Topology } from '../store/kinds.ts'
import type { Replica } from '../store/merge.ts'
import { createCopier } from './copier.ts'
import { CursorMovedError, createFollower, type Follower } from './follower.ts'
import { changeToWire, type FeedBatch, FORMAT, type Hello } from './messages.ts'

const [HERE, PRIMARY, OTHER] = ['us-east-1', 'us-west-2', 'eu-west-1'] as const
const pool = `${PRIMARY}_pool`

const hello = (region: string): Hello => ({
  type: 'hello',
  format: FORMAT,
  region,
  now: 0,
  log: 'log',
  position: 10,
  mark: 'ten',
  standing: 'unknown-log',
})

const put = (kind: Change['kind'], key: string, seq: number, more: Partial<Change> = {}): Change => ({
  pool,
  kind,
  key,
  body: '{}',
  fields: {},
  stamp: { epoch: 1, seq },
  at: 1,
  ...more,
})
const removal = (kind: Change['kind'], key: string, seq: number): Change => put(kind, key, seq, { body: null })
const topology = (value: Topology, seq: number): Change =>
  put('topology', ONLY, seq, { body: JSON.stringify(value), stamp: { epoch: value.epoch, seq } })
const replica = (status: Replica['status'], version: number, region: string = HERE): Change =>
  put('replica', region, 1, { body: JSON.stringify({ region, status, version } satisfies Replica) })

const batch = (position: number, ...changes: Change[]): FeedBatch => ({
  position,
  mark: `mark ${position}`,
  at: position,
  changes: changes.map(changeToWire),
})

for (const engine of engines) {
  describe(`a follower: ${engine}`, () => {
    let killable: KillableStore
    let follower: Follower
    let clock: Clock
    let runs = 0
    /** How often a batch was applied by comparing expected values instead of reading them. */
    let expected = 0

    /** Applies changes of a peer right after the follower's position. */
    const receive = async (peer: string, ...changes: Change[]): Promise<void> => {
      const cursor = await follower.findCursor(peer)
      const position = cursor?.position ?? 0
      await follower.apply(peer, { log: 'log', position }, [batch(position + 1, ...changes)], null)
    }
    const has = async (kind: Change['kind'], key: string): Promise<boolean> =>
      (await killable.store.find(kind, { pool, key })) !== undefined

    /** Ends the copy that the greeting began. */
    const copied = (): Promise<void> =>
      killable.store.transaction((connection) => removeCopy(connection, { pool, peer: PRIMARY }))

    beforeEach(async () => {
      runs += 1
      const dice = createDice(1)
      clock = createSteppedClock(dice, { now: 1_700_000_000_000 }, 0)
      killable = await openKillableStore(engine, {
        clock,
        region: HERE,
        name: `twinpool_follower_${process.pid}_${runs}`,
      })
      expected = 0
      const { engine: inner } = killable.store
      const expect: Engine['expect'] = (tx, condition) => {
        expected += 1
        return inner.expect(tx, condition)
      }
      follower = createFollower({ store: { ...killable.store, engine: { ...inner, expect } }, clock, region: HERE })
      // The state after the first copy.
      await killable.store.transaction((connection) =>
        applyChanges(connection, [
          topology({ primary: PRIMARY, epoch: 1 }, 1),
          put('pool', ONLY, 2),
          replica('ACTIVE', 2),
        ]),
      )
      for (const peer of [PRIMARY, OTHER]) await follower.restart(peer, hello(peer), [])
    })
    afterEach(() => killable.close())

    it('has neither the rows nor the cursor after a kill between them, and applies the batch again', async () => {
      const from = { log: 'log', position: 10 }
      killable.killNext()
      await assert.rejects(follower.apply(PRIMARY, from, [batch(11, put('user', 'ada', 5))], null), KilledError)
      killable.spare()
      assert.equal(await has('user', 'ada'), false)
      assert.equal((await follower.findCursor(PRIMARY))?.position, 10)
      await follower.apply(PRIMARY, from, [batch(11, put('user', 'ada', 5))], null)
      assert.equal(await has('user', 'ada'), true)
      assert.equal((await follower.findCursor(PRIMARY))?.position, 11)
    })

    it('makes a first copy of a pool whose replica was created again before its deletion was complete here', async () => {
      await copied()
      const copier = createCopier({ store: killable.store, clock, region: HERE })
      await receive(PRIMARY, put('user', 'before', 5), replica('INACTIVE', 3), replica('DELETING', 4))
      await receive(PRIMARY, put('user', 'skipped', 6))
      // A region that was put back receives all of its past in one batch.
      await receive(PRIMARY, replica('DELETED', 5), replica('CREATING', 6), replica('INACTIVE', 7))
      assert.equal(await has('user', 'skipped'), false)
      assert.equal(await has('topology', ONLY), false)
      assert.deepEqual(await copier.listPoolsToCopy(), [pool])
    })

    it('copies a pool from the region that became its primary', async () => {
      await copied()
      await receive(OTHER, topology({ primary: OTHER, epoch: 4_096 }, 1))
      const cursor = await follower.findCursor(OTHER)
      const copies = await listCopies(killable.store.db)
      assert.deepEqual(
        copies.map(({ pool, peer, stage, asOf }) => ({ pool, peer, stage, asOf })),
        [{ pool, peer: OTHER, stage: 'outline', asOf: cursor?.asOf }],
      )
    })

    it('applies a batch once, and rejects a batch that does not start at the cursor', async () => {
      const first = [batch(11, put('user', 'ada', 5))]
      await follower.apply(PRIMARY, { log: 'log', position: 10 }, first, null)
      await receive(PRIMARY, removal('user', 'ada', 6))
      await assert.rejects(follower.apply(PRIMARY, { log: 'log', position: 10 }, first, null), CursorMovedError)
      await assert.rejects(follower.apply(PRIMARY, { log: 'log', position: 13 }, first, null), CursorMovedError)
      await assert.rejects(follower.apply(PRIMARY, { log: 'older', position: 12 }, first, null), CursorMovedError)
      assert.equal(await has('user', 'ada'), false)
    })

    it('skips facts and topologies that cannot be read, applies the changes after them, and merges valid facts', async () => {
      const bodies = ['{', 'null', '5', '"text"', '[]', '{}', '{"before":"x","expires":"x","region":5}']
      const kinds = ['sign-out', 'revocation', 'rotation', 'replica', 'topology'] as const
      for (const [at, body] of bodies.entries()) {
        for (const kind of kinds) {
          const key = kind === 'topology' ? ONLY : 'forged'
          const forged = put(kind, key, 100 + at, { body })
          await receive(PRIMARY, forged, put('user', `after ${kind} ${at}`, 5))
          assert.equal(await has('user', `after ${kind} ${at}`), true)
          if (kind !== 'topology') assert.equal(await has(kind, 'forged'), false, `${kind} ${body}`)
        }
      }
      assert.deepEqual(JSON.parse((await killable.store.find('topology', { pool, key: ONLY }))?.body as string), {
        primary: PRIMARY,
        epoch: 1,
      })
      await receive(PRIMARY, put('sign-out', 'forged', 1, { body: '{"before":7}' }))
      await receive(OTHER, put('sign-out', 'forged', 1, { body: 'null' }))
      assert.equal((await killable.store.find('sign-out', { pool, key: 'forged' }))?.body, '{"before":7}')
    })

    it('stores no value in a column whose value is not text', async () => {
      const fields = { group: 5, sub: { a: 1 } } as unknown as Change['fields']
      await receive(PRIMARY, put('sealed-member', 'forged', 5, { fields }), put('user', 'after', 6))
      assert.equal(await has('user', 'after'), true)
      assert.deepEqual((await killable.store.find('sealed-member', { pool, key: 'forged' }))?.fields, {
        group: null,
        sub: null,
      })
    })

    it('restarts although an inventory names a replica that cannot be read', async () => {
      const rows = ['{', 'null', '{"region":5}'].map((body, at) => ({ pool, key: `forged ${at}`, body }))
      await follower.restart(PRIMARY, hello(PRIMARY), rows)
      assert.equal((await killable.store.list('replica', { pool, limit: 10 })).length, 1)
    })

    it('applies a second batch of a pool without reading the roles again', async () => {
      await copied()
      await receive(PRIMARY, put('user', 'ada', 5))
      await receive(PRIMARY, put('user', 'bob', 6))
      assert.equal(expected, 1)
      assert.equal(await has('user', 'bob'), true)
    })

    it('applies nothing from a primary that another process of the region has replaced in between', async () => {
      await copied()
      await receive(PRIMARY, put('user', 'ada', 5))
      await killable.store.transaction((connection) =>
        applyChanges(connection, [topology({ primary: OTHER, epoch: 2 }, 6)]),
      )
      await receive(PRIMARY, put('user', 'bob', 7))
      assert.equal(await has('user', 'bob'), false)
      await receive(OTHER, put('user', 'eve', 8, { stamp: { epoch: 2, seq: 8 } }))
      assert.equal(await has('user', 'eve'), true)
    })

    it('records the rows that a batch touches when another process of the region has begun a copy', async () => {
      await copied()
      await receive(PRIMARY, put('user', 'ada', 5))
      await createFollower({ store: killable.store, clock, region: HERE }).restart(PRIMARY, hello(PRIMARY), [])
      await receive(PRIMARY, put('user', 'bob', 6))
      assert.deepEqual(
        await listTouched(killable.store.db, { pool, kind: 'user', after: undefined, until: undefined }),
        new Set(['bob']),
      )
    })

    it('applies no batch again that another process of the region has applied', async () => {
      await copied()
      await receive(PRIMARY, put('user', 'ada', 5))
      const from = { log: 'log', position: 11 }
      const other = createFollower({ store: killable.store, clock, region: HERE })
      await other.apply(PRIMARY, from, [batch(12, put('user', 'bob', 6)), batch(13, removal('user', 'bob', 7))], null)
      await assert.rejects(follower.apply(PRIMARY, from, [batch(12, put('user', 'bob', 6))], null), CursorMovedError)
      assert.equal(await has('user', 'bob'), false)
      assert.equal((await follower.findCursor(PRIMARY))?.position, 13)
    })

    it('moves an e-mail address from one user to another, in whatever order the batch has the changes', async () => {
      const taken = put('alias', 'email:a', 7, { fields: { sub: 'bob' } })
      const orders = [
        [removal('alias', 'email:a', 6), taken],
        [taken, removal('alias', 'email:a', 6)],
      ]
      for (const order of orders) {
        await receive(PRIMARY, put('alias', 'email:a', 5, { fields: { sub: 'ada' } }), ...order)
        assert.equal((await killable.store.find('alias', { pool, key: 'email:a' }))?.fields.sub, 'bob')
      }
    })

    it('lets the newer stamp win when the log has two transactions in inverted order', async () => {
      await receive(PRIMARY, put('user', 'ada', 5, { body: 'first' }))
      await receive(PRIMARY, removal('user', 'ada', 8), put('user', 'bob', 9, { body: 'newer' }))
      await receive(PRIMARY, put('user', 'ada', 7, { body: 'older' }), put('user', 'bob', 6, { body: 'older' }))
      assert.equal(await has('user', 'ada'), false)
      assert.equal((await killable.store.find('user', { pool, key: 'bob' }))?.body, 'newer')
    })

    it('accepts replicated rows of the primary only, shared facts of every region, regional rows of none', async () => {
      const fact = put('sign-out', 'ada', 1, { body: '{"before":5}', stamp: { epoch: 0, seq: 1 } })
      await receive(OTHER, put('user', 'mallory', 99), put('settings', ONLY, 99), fact)
      await receive(PRIMARY, put('settings', ONLY, 99))
      assert.equal(await has('user', 'mallory'), false)
      assert.equal(await has('settings', ONLY), false)
      assert.equal(await has('sign-out', 'ada'), true)
    })

    it('writes a shared fact into its own log only if it is new', async () => {
      const fact = put('sign-out', 'ada', 1, { body: '{"before":5}', stamp: { epoch: 0, seq: 1 } })
      await receive(OTHER, fact)
      const stamped = await killable.store.find('sign-out', { pool, key: 'ada' })
      await receive(PRIMARY, fact)
      assert.deepEqual(await killable.store.find('sign-out', { pool, key: 'ada' }), stamped)
    })

    it('ignores a pool that it does not hold, except for the row that assigns it a replica', async () => {
      const elsewhere = (change: Change): Change => ({ ...change, pool: `${PRIMARY}_other` })
      const fact = put('sign-out', 'ada', 1, { body: '{"before":5}' })
      await receive(
        PRIMARY,
        ...[topology({ primary: PRIMARY, epoch: 1 }, 1), put('user', 'ada', 5), fact, replica('CREATING', 1)].map(
          elsewhere,
        ),
        elsewhere(replica('ACTIVE', 1, OTHER)),
      )
      const kept = async (kind: Change['kind']) =>
        (await killable.store.list(kind, { pool: `${PRIMARY}_other`, limit: 9 })).map(({ key }) => key)
      assert.deepEqual(await kept('user'), [])
      assert.deepEqual(await kept('topology'), [])
      assert.deepEqual(await kept('sign-out'), [])
      assert.deepEqual(await kept('replica'), [HERE])
    })

    it('applies nothing to a replica that is being deleted, beginning with the batch that says so', async () => {
      await receive(PRIMARY, put('user', 'ada', 5), replica('DELETING', 3), put('user', 'bob', 6))
      assert.equal(await has('user', 'bob'), false)
    })

    it('follows a primary of a newer epoch, and refuses a primary of an older epoch', async () => {
      await receive(OTHER, topology({ primary: OTHER, epoch: 1 }, 50))
      await receive(OTHER, put('user', 'early', 51))
      assert.equal(await has('user', 'early'), false)
      await receive(OTHER, topology({ primary: OTHER, epoch: 2 }, 60), put('user', 'ada', 61))
      assert.equal(await has('user', 'ada'), true)
      await receive(PRIMARY, topology({ primary: PRIMARY, epoch: 1 }, 70), put('user', 'late', 71))
      assert.equal(await has('user', 'late'), false)
    })

    it('reports the newest position that it has seen, also if a copy has seen more than the stream', async () => {
      await receive(PRIMARY, put('user', 'ada', 5))
      assert.deepEqual(await follower.findResumePoint(PRIMARY), {
        log: 'log',
        position: 11,
        mark: 'mark 11',
        epoch: 1,
        witness: { position: 11, mark: 'mark 11' },
      })
      assert.equal(await follower.findResumePoint('ap-south-1'), undefined)
    })
  })
}
