import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, describe, test } from 'node:test'
import { createKeyRings } from '@twinpool/testing/key-rings'
import { systemClock } from '../../clock.ts'
import { KeyUnavailableError } from '../provider.ts'
import { KeyExchangeError, type SealedKeyMessage } from './key-exchange.ts'
import { KeyRefusedError } from './key-record.ts'
import type { LocalKeyRing } from './ring.ts'

const engines = ['sqlite', ...(process.env.TWINPOOL_TEST_POSTGRES ? (['postgres'] as const) : [])] as const
const DAY = 86_400_000
const draft = { description: '', policy: null, tags: [] }
const context = { 'twinpool:user-pool': 'us-west-2_abc' }

const refused = (refusal: string) => (error: unknown) => error instanceof KeyRefusedError && error.refusal === refusal

for (const engine of engines) {
  describe(`multi-Region keys on ${engine}`, () => {
    const clock = { ...systemClock, now: () => clock.time, time: Date.UTC(2026, 0, 1) }
    const { openRing, openPlane, close } = createKeyRings(engine, clock)
    afterEach(async () => {
      await close()
      clock.time = Date.UTC(2026, 0, 1)
    })

    test('a region that has lost its store is offered its keys until it has accepted them', async () => {
      const { rings, down, sent, open } = await openPlane('us-west-2', 'us-east-1')
      const [west] = rings as [LocalKeyRing, LocalKeyRing]
      const key = await west.create({ ...draft, description: 'pools', multiRegion: true })
      const alone = await west.create({ ...draft, multiRegion: true })
      await west.replicate(key.id, 'us-east-1', draft)
      const wrapped = await west.wrap(west.keyArn(key.id), Buffer.from('data'), context)

      const east = await open('us-east-1')
      const arn = east.keyArn(key.id)
      down.add('us-east-1')
      await west.offerAgain('us-east-1', { behind: true })
      await west.offerAgain('us-east-1', { behind: true })
      assert.equal(await east.find(arn), undefined)
      down.clear()
      await west.sweep()
      assert.deepEqual(await east.unwrap(arn, wrapped, context), Buffer.from('data'))
      assert.equal((await east.get(key.id)).description, 'pools')
      assert.equal(await east.find(east.keyArn(alone.id)), undefined)

      const before = sent.length
      await west.sweep()
      assert.equal(sent.length, before, 'it has been accepted')
      // A region with a replica offers nothing to the primary.
      await east.offerAgain('us-west-2', { behind: true })
      assert.equal(sent.length, before)
    })

    test('a region is offered exactly the keys that it no longer holds', async () => {
      const { rings, sent, open } = await openPlane('us-west-2', 'us-east-1')
      const [west, first] = rings as [LocalKeyRing, LocalKeyRing]
      const ids: string[] = []
      for (const _ of ['kept', 'lost']) ids.push((await west.create({ ...draft, multiRegion: true })).id)
      const [kept = '', lost = ''] = ids
      await west.replicate(kept, 'us-east-1', draft)
      const toKept = sent.at(-1)
      await west.replicate(lost, 'us-east-1', draft)
      assert.deepEqual((await first.held('us-west-2', undefined)).ids, ids.toSorted())

      const east = await open('us-east-1')
      await east.accept(toKept)
      assert.deepEqual((await east.held('us-west-2', undefined)).ids, [kept])
      const before = sent.length
      await west.offerAgain('us-east-1', { behind: false })
      assert.equal(sent.length, before + 1)
      assert.deepEqual((await east.held('us-west-2', undefined)).ids, ids.toSorted())
      await west.offerAgain('us-east-1', { behind: true })
      assert.equal(sent.length, before + 1)
    })

    test('a replica of a key that was deleted does not come back when the key is offered again', async () => {
      const { rings, down, open: _, sent } = await openPlane('us-west-2', 'us-east-1')
      const [west, east] = rings as [LocalKeyRing, LocalKeyRing]
      const { id } = await west.create({ ...draft, multiRegion: true })
      await west.replicate(id, 'us-east-1', draft)
      const offer = sent.at(0)
      await east.scheduleDeletion(id, 7)
      clock.time += 7 * DAY + 1
      down.add('us-west-2')
      await east.sweep()
      await west.offerAgain('us-east-1', { behind: false })
      assert.equal(sent.at(-1), offer)
      await west.offerAgain('us-east-1', { behind: true })
      await assert.rejects(east.get(id), refused('key-not-found'))
    })

    test('each region of a multi-Region key unwraps data keys that the other wrapped', async () => {
      const { rings, sent } = await openPlane('us-west-2', 'us-east-1')
      const [west, east] = rings as [LocalKeyRing, LocalKeyRing]
      const { id } = await west.create({ ...draft, multiRegion: true })
      assert.match(id, /^mrk-[0-9a-f]{32}$/)
      const { plain, wrapped } = await west.generateDataKey(west.keyArn(id), context)
      await assert.rejects(east.unwrap(east.keyArn(id), wrapped, context), KeyUnavailableError)
      await west.replicate(id, 'us-east-1', { description: 'the other', policy: null, tags: [] })
      assert.deepEqual(await east.unwrap(east.keyArn(id), wrapped, context), plain)
      const back = await east.wrap(east.keyArn(id), plain, context)
      assert.deepEqual(await west.unwrap(west.keyArn(id), back, context), plain)
      for (const ring of [west, east]) {
        assert.deepEqual((await ring.find(ring.keyArn(id)))?.regions, ['us-west-2', 'us-east-1'])
      }
      assert.equal((await east.get(id)).description, 'the other')
      // Each region disables its key separately.
      await west.disable(id)
      assert.deepEqual(await east.unwrap(east.keyArn(id), wrapped, context), plain)
      // A second delivery changes nothing.
      const before = await east.get(id)
      await east.accept(sent[0])
      assert.deepEqual(await east.get(id), before)
      await west.enable(id)
      await assert.rejects(west.replicate(id, 'us-east-1', draft), refused('region-has-replica'))
      await assert.rejects(west.replicate(id, 'us-west-2', draft), refused('region-same'))
      await assert.rejects(west.replicate(id, 'mars-north-1', draft), refused('region-unknown'))
      await assert.rejects(east.replicate(id, 'us-west-2', draft), refused('key-not-multi-region-primary'))
    })

    test('a message is accepted from the same cluster only, by its receiver only, and in time only', async () => {
      const { rings, sent } = await openPlane('us-west-2', 'us-east-1', 'eu-west-1')
      const [west, east, europe] = rings as [LocalKeyRing, LocalKeyRing, LocalKeyRing]
      const { id } = await west.create({ ...draft, multiRegion: true })
      await west.replicate(id, 'us-east-1', draft)
      const message = sent[0] as SealedKeyMessage
      const { ring: stranger } = await openRing('us-east-1', {
        secrets: { masterKeys: [randomBytes(32)], clusterSecrets: ['another secret altogether, of another cluster'] },
      })
      const { ring: alone } = await openRing('us-east-1', {
        secrets: { masterKeys: [randomBytes(32)], clusterSecrets: [] },
      })
      const sealed = Buffer.from(message.sealed, 'base64')
      sealed[20] = (sealed[20] as number) ^ 1
      const attempts: [LocalKeyRing, unknown][] = [
        [stranger, message],
        [alone, message],
        [europe, message],
        [europe, { ...message, to: 'eu-west-1' }],
        [east, { ...message, from: 'eu-west-1' }],
        [east, { ...message, sealed: sealed.toString('base64') }],
        [east, { ...message, sealed: 7 }],
        [east, { ...message, sealed: '' }],
        [east, null],
        [east, 'text'],
      ]
      for (const [ring, attempt] of attempts) {
        await assert.rejects(
          ring.accept(attempt),
          (error) => error instanceof KeyExchangeError && error.reason === 'refused',
        )
      }
      assert.ok(!JSON.stringify(message).includes(id))
      clock.time += 16 * 60_000
      await assert.rejects(east.accept(message), KeyExchangeError)
    })

    test('a key is not replicated to a region that is down; once the region is back, it is', async () => {
      const { rings, down } = await openPlane('us-west-2', 'us-east-1')
      const [west, east] = rings as [LocalKeyRing, LocalKeyRing]
      const { id } = await west.create({ ...draft, multiRegion: true })
      down.add('us-east-1')
      await assert.rejects(west.replicate(id, 'us-east-1', draft), refused('region-unreachable'))
      assert.deepEqual((await west.find(west.keyArn(id)))?.regions, ['us-west-2'])
      down.clear()
      await west.replicate(id, 'us-east-1', draft)
      assert.equal((await east.get(id)).state, 'Enabled')
    })

    test('of several calls for the same region, one creates the replica', async () => {
      const { rings } = await openPlane('us-west-2', 'us-east-1')
      const [west, east] = rings as [LocalKeyRing, LocalKeyRing]
      const { id } = await west.create({ ...draft, multiRegion: true })
      const results = await Promise.allSettled([1, 2, 3].map(() => west.replicate(id, 'us-east-1', draft)))
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
      const grants = await Promise.all([west, east].map(async (ring) => (await ring.get(id)).multiRegion?.replicas))
      assert.deepEqual(grants[0], grants[1])
    })

    test('the waiting period of a primary key begins when its replicas are removed', async () => {
      const { rings, down, lost } = await openPlane('us-west-2', 'us-east-1')
      const [west, east] = rings as [LocalKeyRing, LocalKeyRing]
      const { id } = await west.create({ ...draft, multiRegion: true })
      // The first offer arrives, but its response is lost: the second must leave both regions in agreement.
      lost.responses = true
      await assert.rejects(west.replicate(id, 'us-east-1', draft), refused('region-unreachable'))
      lost.responses = false
      await west.replicate(id, 'us-east-1', draft)

      const scheduled = await west.scheduleDeletion(id, 10)
      assert.deepEqual([scheduled.state, scheduled.deletion], ['PendingReplicaDeletion', { days: 10, at: null }])
      await east.scheduleDeletion(id, 7)
      down.add('us-west-2')
      clock.time += 7 * DAY
      await east.sweep()
      await assert.rejects(east.get(id), refused('key-not-found'))
      assert.equal((await west.get(id)).state, 'PendingReplicaDeletion')
      down.clear()
      await east.sweep()
      const freed = await west.get(id)
      assert.deepEqual([freed.state, freed.deletion], ['PendingDeletion', { days: 10, at: clock.time + 10 * DAY }])
      clock.time += 10 * DAY
      await west.sweep()
      await assert.rejects(west.get(id), refused('key-not-found'))
      // The region can get a new key.
      const again = await west.create({ ...draft, multiRegion: true })
      await west.replicate(again.id, 'us-east-1', draft)
    })

    test('replicas learn of later replicas at once or by a later sweep', async () => {
      const { rings, down } = await openPlane('us-west-2', 'us-east-1', 'eu-west-1', 'eu-central-1')
      const [west, east] = rings as [LocalKeyRing, LocalKeyRing]
      const { id } = await west.create({ ...draft, multiRegion: true })
      const known = async () => (await east.find(east.keyArn(id)))?.regions
      await west.replicate(id, 'us-east-1', draft)
      await west.replicate(id, 'eu-west-1', draft)
      assert.deepEqual(await known(), ['us-west-2', 'us-east-1', 'eu-west-1'])
      down.add('us-east-1')
      await west.replicate(id, 'eu-central-1', draft)
      assert.deepEqual(await known(), ['us-west-2', 'us-east-1', 'eu-west-1'])
      down.clear()
      await west.sweep()
      assert.deepEqual(await known(), ['us-west-2', 'us-east-1', 'eu-west-1', 'eu-central-1'])
    })
  })
}
