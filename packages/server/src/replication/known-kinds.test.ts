/** Two builds that know different kinds: what flows, and how the rest is made up for. The newer build has one more kind than this one. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createDice, createSteppedClock, type MortalStore, openMortalStore } from '@twinpool/testing/plane-of-stores'
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
  FIRST_KNOWN,
  gainedSince,
  inCommon,
  KindsConflictError,
  knownFromText,
  knownHere,
  knownToText,
} from './known-kinds.ts'
import type { Hello, Source } from './messages.ts'
import { createSupplier, type Supplier } from './supplier.ts'

it('the kinds of the first release are as they were; columns were only appended to them', () => {
  for (const [kind, { travels, index, byKey }] of Object.entries(firstKinds)) {
    const now = kinds[kind as keyof typeof kinds]
    assert.equal(now.scope !== 'regional', travels, kind)
    assert.equal(now.byKey, byKey, kind)
    assert.deepEqual(now.index.slice(0, index.length), index, kind)
  }
})

describe('what two builds have in common', () => {
  const newer = new Map([...FIRST_KNOWN, ['pool', ['name', 'more']], ['new', ['sub']]])

  it('are the kinds of both, with the columns of the one that has fewer', () => {
    assert.deepEqual(inCommon(newer, FIRST_KNOWN), FIRST_KNOWN)
    assert.deepEqual(inCommon(FIRST_KNOWN, newer), FIRST_KNOWN)
  })

  it('is nothing that could be read where columns are in another order', () => {
    assert.throws(() => inCommon(newer, new Map([['pool', ['more', 'name']]])), KindsConflictError)
  })

  it('is said in one word, which needs no escape in a query', () => {
    assert.equal(knownToText(newer), 'new.sub*pool.name.more')
    assert.deepEqual(knownFromText(knownToText(newer)), newer)
    const lacking = new Map([...newer].filter(([kind]) => kind !== 'group'))
    assert.deepEqual(knownFromText(knownToText(lacking)), lacking)
    assert.equal(new URLSearchParams({ kinds: knownToText(newer) }).toString(), `kinds=${knownToText(newer)}`)
    assert.equal(knownToText(FIRST_KNOWN), '')
    for (const nothing of [undefined, '']) assert.equal(knownFromText(nothing), FIRST_KNOWN)
  })
})

const NEW = 'test-new' as KindOfScope<'replicated'>
if (!kindNames.includes(NEW)) {
  extendKinds({ [NEW]: { scope: 'replicated', owner: 'pool', index: [], cached: false, byKey: false } })
}

/** What a build without the new kind knows. */
const OLDER = new Map([...knownHere()].filter(([kind]) => kind !== NEW))
/** Where it is not known what was followed, everything since the first release counts as gained. */
const SINCE_FIRST = gainedSince(FIRST_KNOWN, knownHere())

const [HERE, PRIMARY] = ['us-east-1', 'us-west-2'] as const
const pool = `${PRIMARY}_pool`

for (const engine of engines) {
  describe(`a follower that comes to know a kind: ${engine}`, () => {
    const clock = createSteppedClock(createDice(1), { now: 1_700_000_000_000 }, 0)
    let primary: MortalStore
    let secondary: MortalStore
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
    const greet = async (follower = newer()): Promise<Hello> => supplier.hello(HERE, await follower.findOrigin(PRIMARY))
    /** Takes what the log has, as a follower that knows these kinds. */
    const follow = async (follower = newer(), known = knownHere()): Promise<void> => {
      await settled(primary.store)
      const from = await follower.findOrigin(PRIMARY)
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
      primary = await openMortalStore(engine, { clock, region: PRIMARY, name: `${name}_1` })
      secondary = await openMortalStore(engine, { clock, region: HERE, name: `${name}_2` })
      supplier = createSupplier({
        store: primary.store,
        clock,
        region: PRIMARY,
        events: { noted: () => {} },
        retention: { milliseconds: 3_600_000, changes: 1_000_000 },
      })
      await supplier.open()
      await primary.store.write(async (tx) => {
        await tx.put('topology', { pool, key: ONLY, body: JSON.stringify({ primary: PRIMARY, epoch: 1 }) })
        const replica: Replica = { region: HERE, status: 'CREATING', version: 1 }
        await tx.share('replica', { pool, key: HERE, body: JSON.stringify(replica) })
        await tx.put('group', { pool, key: 'admins', body: '{}' })
        await tx.put(NEW, { pool, key: 'before', body: '{}' })
      })
      await settled(primary.store)
      // A replica of an older build is there and complete.
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

    it('is sent nothing of it before, and loses nothing else', async () => {
      await primary.store.write(async (tx) => {
        await tx.put(NEW, { pool, key: 'unknown', body: '{}' })
        await tx.put('group', { pool, key: 'known', body: '{}' })
      })
      await follow(older(), OLDER)
      assert.deepEqual(await keysHere(), [])
      assert.equal(await secondary.store.count('group', { pool }), 2)
    })

    it('copies that kind alone, once, and goes on with the stream', async () => {
      await write('removed')
      await primary.store.write((tx) => tx.remove(NEW, { pool, key: 'removed' }))
      await follow(older(), OLDER)
      const { gained } = await newer().learn(PRIMARY, await greet())
      assert.deepEqual(gained, [NEW])
      const copy = await findCopy(secondary.store.db, { pool, peer: PRIMARY })
      assert.deepEqual([copy?.kinds, copy?.stage, copy?.asOf], [[NEW], NEW, undefined])
      await write('meanwhile')
      await copyAll()
      assert.deepEqual(await keysHere(), ['before', 'meanwhile'])
      await write('after')
      await follow()
      assert.deepEqual(await keysHere(), ['after', 'before', 'meanwhile'])
      assert.deepEqual((await newer().learn(PRIMARY, await greet())).gained, [])
      assert.deepEqual(await listCopies(secondary.store.db), [])
    })

    it('copies it again when an older process has followed in between', async () => {
      await newer().learn(PRIMARY, await greet())
      await copyAll()
      await write('passed over')
      await settled(primary.store)
      const from = await newer().findOrigin(PRIMARY)
      const reading = await supplier.read(HERE, from as NonNullable<typeof from>, OLDER)
      const last = reading?.batches.at(-1)
      // As the first release moves a cursor.
      await secondary.store.transaction((connection) =>
        sql`update cursors set position = ${last?.position}, mark = ${last?.mark} where peer = ${PRIMARY}`.execute(
          connection,
        ),
      )
      assert.deepEqual((await newer().learn(PRIMARY, await greet())).gained, SINCE_FIRST)
      await copyAll()
      assert.deepEqual(await keysHere(), ['before', 'passed over'])
    })

    it('takes no batch of a connection on which it knew other kinds', async () => {
      const { followed } = await newer().learn(PRIMARY, await greet())
      await secondary.store.transaction((connection) => removeCopy(connection, { pool, peer: PRIMARY }))
      const follower = newer()
      for (const key of ['read', 'expected']) {
        await write(key)
        await settled(primary.store)
        const from = await follower.findOrigin(PRIMARY)
        assert.ok(from)
        const reading = await supplier.read(HERE, from, knownHere())
        const stale = { ...from, kinds: knownToText(OLDER) }
        await assert.rejects(follower.apply(PRIMARY, stale, reading?.batches ?? [], null), CursorMovedError)
        await follower.apply(PRIMARY, { ...from, kinds: followed }, reading?.batches ?? [], null)
      }
      assert.deepEqual(await keysHere(), ['expected', 'read'])
    })

    it('goes back to it in a copy that is under way, and passes it over while the peer does not know it', async () => {
      const { rows } = await supplier.inventory(HERE, undefined)
      await older().restart(PRIMARY, { ...(await greet()), standing: 'trimmed' }, rows)
      const copier = createCopier(context())
      const source = sourceOf(supplier)
      const stage = async () => (await findCopy(secondary.store.db, { pool, peer: PRIMARY }))?.stage
      while ((await stage()) !== 'complete') await copier.step({ pool, peer: PRIMARY }, source)
      assert.deepEqual(await keysHere(), [])
      await newer().learn(PRIMARY, await greet())
      assert.equal(await stage(), NEW)
      // The peer is taken back to an older build.
      await newer().learn(PRIMARY, { ...(await greet()), kinds: knownToText(OLDER) })
      assert.equal(await copier.step({ pool, peer: PRIMARY }, source), 'moved')
      assert.notEqual(await stage(), NEW)
      await newer().learn(PRIMARY, await greet())
      await copyAll()
      assert.deepEqual(await keysHere(), ['before'])
    })

    it('leaves alone what a newer build of its own region had begun to copy, until it knows what is to be followed', async () => {
      await newer().learn(PRIMARY, await greet())
      await secondary.store.transaction(async (connection) => {
        await sql`update copies set kind = 'to-come', kinds = '["to-come"]'`.execute(connection)
        await sql`update cursors set kinds = ${`${(await greet()).log}\nto-come`}`.execute(connection)
      })
      assert.equal(await createCopier(context()).step({ pool, peer: PRIMARY }, sourceOf(supplier)), 'waits')
      assert.deepEqual((await newer().learn(PRIMARY, await greet())).gained, SINCE_FIRST)
      assert.deepEqual((await findCopy(secondary.store.db, { pool, peer: PRIMARY }))?.kinds, SINCE_FIRST)
      await copyAll()
      assert.deepEqual(await keysHere(), ['before'])
    })

    it('waits while a process of the other region that does not know it is asked for pages', async () => {
      await newer().learn(PRIMARY, await greet())
      const unaware = createSupplier({
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
