/** Replication between builds that know different kinds. The newer build has one more kind than this one. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import {
  createDice,
  createSteppedClock,
  type KillableStore,
  openKillableStore,
} from '@twinpool/testing/plane-of-stores'
import { engines } from '@twinpool/testing/regions'
import { settled } from '@twinpool/testing/stores'
import { sql } from 'kysely'
import { findCopy, listCopies, removeCopy } from '../store/copies.ts'
import { firstKinds } from '../store/first-kinds.ts'
import { extendKinds, type KindOfScope, kindNames, kinds, ONLY } from '../store/kinds.ts'
import type { Replica } from '../store/merge.ts'
import { createCopier } from './copier.ts'
import { CursorMovedError, createFollower } from './follower.ts'
import {
  commonKinds,
  FIRST_RELEASE_KINDS,
  formatKinds,
  gainedKinds,
  KindsConflictError,
  kindsOfThisBuild,
  parseKinds,
} from './known-kinds.ts'
import type { Hello, Source } from './messages.ts'
import { openSupplier, type Supplier } from './supplier.ts'

it('the kinds of the first release are unchanged except for appended columns', () => {
  for (const [kind, { travels, index, byKey }] of Object.entries(firstKinds)) {
    const now = kinds[kind as keyof typeof kinds]
    assert.equal(now.scope !== 'regional', travels, kind)
    assert.equal(now.byKey, byKey, kind)
    assert.deepEqual(now.index.slice(0, index.length), index, kind)
  }
})

describe('the kinds that two builds have in common', () => {
  const newer = new Map([...FIRST_RELEASE_KINDS, ['pool', ['name', 'more']], ['new', ['sub']]])

  it('are the kinds that both know, with the shorter list of columns', () => {
    assert.deepEqual(commonKinds(newer, FIRST_RELEASE_KINDS), FIRST_RELEASE_KINDS)
    assert.deepEqual(commonKinds(FIRST_RELEASE_KINDS, newer), FIRST_RELEASE_KINDS)
  })

  it('cannot be determined if the columns are in another order', () => {
    assert.throws(() => commonKinds(newer, new Map([['pool', ['more', 'name']]])), KindsConflictError)
  })

  it('are written as one word, which needs no escape in a query', () => {
    assert.equal(formatKinds(newer), 'new.sub*pool.name.more')
    assert.deepEqual(parseKinds(formatKinds(newer)), newer)
    const lacking = new Map([...newer].filter(([kind]) => kind !== 'group'))
    assert.deepEqual(parseKinds(formatKinds(lacking)), lacking)
    assert.equal(new URLSearchParams({ kinds: formatKinds(newer) }).toString(), `kinds=${formatKinds(newer)}`)
    assert.equal(formatKinds(FIRST_RELEASE_KINDS), '')
    for (const nothing of [undefined, '']) assert.equal(parseKinds(nothing), FIRST_RELEASE_KINDS)
  })
})

const NEW = 'test-new' as KindOfScope<'replicated'>
if (!kindNames.includes(NEW)) {
  extendKinds({ [NEW]: { scope: 'replicated', owner: 'pool', index: [], cached: false, byKey: false } })
}

/** The kinds that a build without the new kind knows. */
const OLDER = new Map([...kindsOfThisBuild()].filter(([kind]) => kind !== NEW))
/** If it is unknown which kinds were followed, everything since the first release counts as gained. */
const SINCE_FIRST = gainedKinds(FIRST_RELEASE_KINDS, kindsOfThisBuild())

const [HERE, PRIMARY] = ['us-east-1', 'us-west-2'] as const
const pool = `${PRIMARY}_pool`

for (const engine of engines) {
  describe(`a follower that gains a kind: ${engine}`, () => {
    const clock = createSteppedClock(createDice(1), { now: 1_700_000_000_000 }, 0)
    let primary: KillableStore
    let secondary: KillableStore
    let supplier: Supplier
    let runs = 0

    const context = () => ({ store: secondary.store, clock, region: HERE })
    const older = () => createFollower({ ...context(), known: OLDER })
    const newer = () => createFollower(context())
    const sourceOf = (supplier: Supplier): Source => ({
      inventory: (after) => supplier.inventory(HERE, after),
      outline: (pool, witness) => supplier.outline(HERE, pool, witness),
      page: (query) => supplier.page(HERE, query),
    })
    const greet = async (follower = newer()): Promise<Hello> =>
      supplier.hello(HERE, await follower.findResumePoint(PRIMARY))
    /** Applies the log as a follower that knows these kinds. */
    const follow = async (follower = newer(), known = kindsOfThisBuild()): Promise<void> => {
      await settled(primary.store)
      const from = await follower.findResumePoint(PRIMARY)
      assert.ok(from)
      const reading = await supplier.read(HERE, from, known)
      assert.ok(reading)
      await follower.apply(PRIMARY, from, reading.batches, null)
    }
    const write = (key: string) => primary.store.write((tx) => tx.put(NEW, { pool, key, body: '{}' }))
    const keysHere = async () => (await secondary.store.list(NEW, { pool, limit: 100 })).map(({ key }) => key)
    const copyAll = async (source = sourceOf(supplier)): Promise<void> => {
      const copier = createCopier(context())
      while ((await copier.step({ pool, peer: PRIMARY }, source)) !== 'ended') await follow()
    }

    beforeEach(async () => {
      runs += 1
      const name = `twinpool_kinds_${process.pid}_${runs}`
      primary = await openKillableStore(engine, { clock, region: PRIMARY, name: `${name}_1` })
      secondary = await openKillableStore(engine, { clock, region: HERE, name: `${name}_2` })
      supplier = await openSupplier({
        store: primary.store,
        clock,
        region: PRIMARY,
        events: { noted: () => {} },
        retention: { milliseconds: 3_600_000, changes: 1_000_000 },
      })
      await primary.store.write(async (tx) => {
        await tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: PRIMARY, epoch: 1 }) })
        const replica: Replica = { region: HERE, status: 'CREATING', version: 1 }
        await tx.share('replica', { pool, key: HERE, body: JSON.stringify(replica) })
        await tx.put('group', { pool, key: 'admins', body: '{}' })
        await tx.put(NEW, { pool, key: 'before', body: '{}' })
      })
      await settled(primary.store)
      // The replica of an older build is complete.
      const { rows } = await supplier.inventory(HERE, undefined)
      await older().restart(PRIMARY, await greet(), rows)
      const copier = createCopier({ ...context(), known: OLDER })
      assert.equal(await copier.begin(pool, PRIMARY, sourceOf(supplier)), true)
      while ((await copier.step({ pool, peer: PRIMARY }, sourceOf(supplier))) !== 'ended');
      assert.equal(await secondary.store.count('group', { pool }), 1)
    })
    afterEach(async () => {
      await primary.close()
      await secondary.close()
    })

    it('receives no rows of the kind before, and misses no other rows', async () => {
      await primary.store.write(async (tx) => {
        await tx.put(NEW, { pool, key: 'unknown', body: '{}' })
        await tx.put('group', { pool, key: 'known', body: '{}' })
      })
      await follow(older(), OLDER)
      assert.deepEqual(await keysHere(), [])
      assert.equal(await secondary.store.count('group', { pool }), 2)
    })

    it('copies only that kind, once, while the stream continues', async () => {
      await write('removed')
      await primary.store.write((tx) => tx.remove(NEW, { pool, key: 'removed' }))
      await follow(older(), OLDER)
      const { gained } = await newer().resume(PRIMARY, await greet())
      assert.deepEqual(gained, [NEW])
      const copy = await findCopy(secondary.store.db, { pool, peer: PRIMARY })
      assert.deepEqual([copy?.kinds, copy?.stage, copy?.asOf], [[NEW], NEW, undefined])
      await write('meanwhile')
      await copyAll()
      assert.deepEqual(await keysHere(), ['before', 'meanwhile'])
      await write('after')
      await follow()
      assert.deepEqual(await keysHere(), ['after', 'before', 'meanwhile'])
      assert.deepEqual((await newer().resume(PRIMARY, await greet())).gained, [])
      assert.deepEqual(await listCopies(secondary.store.db), [])
    })

    it('copies the kind again after an older process has followed in between', async () => {
      await newer().resume(PRIMARY, await greet())
      await copyAll()
      await write('passed over')
      await settled(primary.store)
      const from = await newer().findResumePoint(PRIMARY)
      const reading = await supplier.read(HERE, from as NonNullable<typeof from>, OLDER)
      const last = reading?.batches.at(-1)
      // Moves the cursor as the first release does.
      await secondary.store.transaction((connection) =>
        sql`update cursors set position = ${last?.position}, mark = ${last?.mark} where peer = ${PRIMARY}`.execute(
          connection,
        ),
      )
      assert.deepEqual((await newer().resume(PRIMARY, await greet())).gained, SINCE_FIRST)
      await copyAll()
      assert.deepEqual(await keysHere(), ['before', 'passed over'])
    })

    it('rejects a batch of a connection on which it knew other kinds', async () => {
      const { followed } = await newer().resume(PRIMARY, await greet())
      await secondary.store.transaction((connection) => removeCopy(connection, { pool, peer: PRIMARY }))
      const follower = newer()
      for (const key of ['read', 'expected']) {
        await write(key)
        await settled(primary.store)
        const from = await follower.findResumePoint(PRIMARY)
        assert.ok(from)
        const reading = await supplier.read(HERE, from, kindsOfThisBuild())
        const stale = { ...from, kinds: formatKinds(OLDER) }
        await assert.rejects(follower.apply(PRIMARY, stale, reading?.batches ?? [], null), CursorMovedError)
        await follower.apply(PRIMARY, { ...from, kinds: followed }, reading?.batches ?? [], null)
      }
      assert.deepEqual(await keysHere(), ['expected', 'read'])
    })

    it('goes back to the kind in a copy in progress, and skips it while the peer does not know it', async () => {
      const { rows } = await supplier.inventory(HERE, undefined)
      await older().restart(PRIMARY, { ...(await greet()), standing: 'trimmed' }, rows)
      const copier = createCopier(context())
      const source = sourceOf(supplier)
      const stage = async () => (await findCopy(secondary.store.db, { pool, peer: PRIMARY }))?.stage
      while ((await stage()) !== 'complete') await copier.step({ pool, peer: PRIMARY }, source)
      assert.deepEqual(await keysHere(), [])
      await newer().resume(PRIMARY, await greet())
      assert.equal(await stage(), NEW)
      // The peer is downgraded to an older build.
      await newer().resume(PRIMARY, { ...(await greet()), kinds: formatKinds(OLDER) })
      assert.equal(await copier.step({ pool, peer: PRIMARY }, source), 'moved')
      assert.notEqual(await stage(), NEW)
      await newer().resume(PRIMARY, await greet())
      await copyAll()
      assert.deepEqual(await keysHere(), ['before'])
    })

    it('suspends a copy of kinds that only a newer build knows, until the next greeting names the kinds to follow', async () => {
      await newer().resume(PRIMARY, await greet())
      await secondary.store.transaction(async (connection) => {
        await sql`update copies set kind = 'to-come', kinds = '["to-come"]'`.execute(connection)
        await sql`update cursors set kinds = ${`${(await greet()).log}\nto-come`}`.execute(connection)
      })
      assert.equal(await createCopier(context()).step({ pool, peer: PRIMARY }, sourceOf(supplier)), 'waits')
      assert.deepEqual((await newer().resume(PRIMARY, await greet())).gained, SINCE_FIRST)
      assert.deepEqual((await findCopy(secondary.store.db, { pool, peer: PRIMARY }))?.kinds, SINCE_FIRST)
      await copyAll()
      assert.deepEqual(await keysHere(), ['before'])
    })

    it('waits while an older process of the other region serves the pages', async () => {
      await newer().resume(PRIMARY, await greet())
      const unaware = await openSupplier({
        store: primary.store,
        clock,
        region: PRIMARY,
        events: { noted: () => {} },
        retention: { milliseconds: 3_600_000, changes: 1_000_000 },
        known: OLDER,
      })
      assert.equal(await createCopier(context()).step({ pool, peer: PRIMARY }, sourceOf(unaware)), 'waits')
      await copyAll()
      assert.deepEqual(await keysHere(), ['before'])
    })
  })
}
