import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, describe, test } from 'node:test'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import { systemClock } from '../../clock.ts'
import { KeyUnavailableError } from '../provider.ts'
import { KeyExchangeError, type SealedKeyMessage } from './key-exchange.ts'
import { KeyRefusedError } from './key-record.ts'
import { createLocalKeyRing, type LocalKeyRing, type LocalKeyRingConfig } from './ring.ts'

const engines = ['sqlite', ...(process.env.TWINPOOL_TEST_POSTGRES ? (['postgres'] as const) : [])] as const
const DAY = 86_400_000
const ACCOUNT = '000000000000'
const draft = { description: '', policy: null, tags: [] }
const context = { 'twinpool:user-pool': 'us-west-2_abc' }

const refused = (refusal: string) => (error: unknown) => error instanceof KeyRefusedError && error.refusal === refusal

for (const engine of engines) {
  describe(`the local key ring on ${engine}`, () => {
    const opened: TestStore[] = []
    const clock = { ...systemClock, now: () => clock.time, time: Date.UTC(2026, 0, 1) }
    afterEach(async () => {
      for (const { close } of opened.splice(0)) await close()
      clock.time = Date.UTC(2026, 0, 1)
    })

    const openRing = async (region: string, config: Partial<LocalKeyRingConfig> = {}) => {
      const testStore = await openTestStore(engine, { clock, region })
      opened.push(testStore)
      const settings = {
        store: testStore.store,
        clock,
        region,
        accountId: ACCOUNT,
        masterKey: randomBytes(32),
        ...config,
      }
      return { ring: createLocalKeyRing(settings), settings, testStore }
    }

    /** Rings that reach each other; `down` holds the regions that cannot be reached. */
    const openPlane = async (...regions: string[]) => {
      const rings = new Map<string, LocalKeyRing>()
      const down = new Set<string>()
      const sent: SealedKeyMessage[] = []
      const lost = { answers: false }
      /** Another ring of a region, over an empty store. */
      const open = async (region: string): Promise<LocalKeyRing> => {
        const { ring } = await openRing(region, {
          clusterSecret: 'a secret that all regions of the cluster have',
          exchange: {
            offer: async (to, message) => {
              const peer = rings.get(to)
              if (!peer) throw new KeyExchangeError('unknown-region', to)
              if (down.has(to)) throw new KeyExchangeError('unreachable', to)
              sent.push(message)
              await peer.accept(JSON.parse(JSON.stringify(message)))
              if (lost.answers) throw new KeyExchangeError('unreachable', to)
            },
          },
        })
        rings.set(region, ring)
        return ring
      }
      const opened: LocalKeyRing[] = []
      for (const region of regions) opened.push(await open(region))
      return { rings: opened, down, sent, lost, open }
    }

    test('the service key is made once, however many ask at once, and the API does not show it', async () => {
      const { ring } = await openRing('us-west-2')
      const arns = await Promise.all(Array.from({ length: 20 }, () => ring.ensureServiceKey()))
      assert.equal(new Set(arns).size, 1)
      const arn = arns[0] as string
      assert.match(arn, /^arn:aws:kms:us-west-2:000000000000:key\/[0-9a-f-]{36}$/)
      assert.deepEqual(await ring.find(arn), { arn, enabled: true, multiRegion: false, regions: ['us-west-2'] })
      assert.deepEqual(await ring.list({ limit: 10 }), [])
      assert.deepEqual(await ring.listAliases({ limit: 10 }), [])
      await assert.rejects(ring.get(arn.split('/')[1] as string), refused('key-not-found'))
    })

    test('a data key opens with its key and its context, and with nothing else', async () => {
      const { ring } = await openRing('us-west-2')
      const [one, other] = [
        await ring.create({ ...draft, multiRegion: false }),
        await ring.create({ ...draft, multiRegion: false }),
      ]
      const arn = ring.keyArn(one.id)
      const { plain, wrapped } = await ring.generateDataKey(arn, { b: '2', a: '1' })
      assert.equal(plain.length, 32)
      assert.deepEqual(await ring.unwrap(arn, wrapped, { a: '1', b: '2' }), plain)
      const contexts: Record<string, string>[] = [{ a: '1' }, { a: '1', b: '3' }, {}]
      for (const bad of contexts) {
        await assert.rejects(ring.unwrap(arn, wrapped, bad), KeyUnavailableError)
      }
      await assert.rejects(ring.unwrap(ring.keyArn(other.id), wrapped, { a: '1', b: '2' }), KeyUnavailableError)
      for (let at = 0; at < wrapped.length; at += 1) {
        const altered = Buffer.from(wrapped)
        altered[at] = (altered[at] as number) ^ 1
        await assert.rejects(ring.unwrap(arn, altered, { a: '1', b: '2' }), KeyUnavailableError)
      }
      assert.equal(await ring.find(arn.replace('us-west-2', 'us-east-1')), undefined)
    })

    test('a region that has lost its store is offered its keys until it has them', async () => {
      const { rings, down, sent, open } = await openPlane('us-west-2', 'us-east-1')
      const [west] = rings as [LocalKeyRing, LocalKeyRing]
      const key = await west.create({ ...draft, description: 'pools', multiRegion: true })
      const alone = await west.create({ ...draft, multiRegion: true })
      await west.replicate(key.id, 'us-east-1', draft)
      const wrapped = await west.wrap(west.keyArn(key.id), Buffer.from('data'), context)

      const east = await open('us-east-1')
      const arn = east.keyArn(key.id)
      down.add('us-east-1')
      await west.offerAgain('us-east-1')
      await west.offerAgain('us-east-1')
      assert.equal(await east.find(arn), undefined)
      down.clear()
      await west.sweep()
      assert.deepEqual(await east.unwrap(arn, wrapped, context), Buffer.from('data'))
      assert.equal((await east.get(key.id)).description, 'pools')
      assert.equal(await east.find(east.keyArn(alone.id)), undefined)

      const before = sent.length
      await west.sweep()
      assert.equal(sent.length, before, 'it has been taken')
      // The other way about nothing is offered: a replica's region does not give keys away.
      await east.offerAgain('us-west-2')
      assert.equal(sent.length, before)
    })

    test('material is sealed at rest, under the master key and for its own ARN', async () => {
      const { ring, settings } = await openRing('us-west-2')
      const [one, other] = [
        await ring.create({ ...draft, multiRegion: false }),
        await ring.create({ ...draft, multiRegion: false }),
      ]
      const stranger = createLocalKeyRing({ ...settings, masterKey: randomBytes(32) })
      await assert.rejects(stranger.generateDataKey(ring.keyArn(one.id), context), KeyUnavailableError)
      const row = await settings.store.find('kms-key', { pool: '', key: one.id })
      const moved = { ...JSON.parse(row?.body as string), id: other.id }
      await settings.store.write((tx) => tx.set('kms-key', { pool: '', key: other.id, body: JSON.stringify(moved) }))
      await assert.rejects(ring.generateDataKey(ring.keyArn(other.id), context), KeyUnavailableError)
    })

    test('a disabled key is unavailable to every ring of the region at once, and the listeners hear of it', async () => {
      const { ring, settings } = await openRing('us-west-2')
      const sibling = createLocalKeyRing(settings)
      const { id } = await ring.create({ ...draft, multiRegion: false })
      const arn = ring.keyArn(id)
      const { wrapped, plain } = await sibling.generateDataKey(arn, context)
      const heard: string[] = []
      sibling.onChange((changed) => heard.push(changed))
      await ring.disable(id)
      // PostgreSQL's own announcement of the creation may come as late as this.
      assert.deepEqual([...new Set(heard)], [arn])
      await assert.rejects(sibling.unwrap(arn, wrapped, context), KeyUnavailableError)
      assert.equal((await sibling.find(arn))?.enabled, false)
      await ring.enable(id)
      assert.deepEqual(await sibling.unwrap(arn, wrapped, context), plain)
      await ring.scheduleDeletion(id, 7)
      await assert.rejects(sibling.unwrap(arn, wrapped, context), KeyUnavailableError)
    })

    test('another process of the region sees that a key is disabled', { skip: engine === 'sqlite' }, async () => {
      const { ring, settings, testStore } = await openRing('us-west-2')
      const other = createLocalKeyRing({ ...settings, store: await testStore.openAgain() })
      const { id } = await ring.create({ ...draft, multiRegion: false })
      await other.generateDataKey(ring.keyArn(id), context)
      const { promise, resolve } = Promise.withResolvers<string>()
      other.onChange(resolve)
      await ring.disable(id)
      assert.equal(await promise, ring.keyArn(id))
      await assert.rejects(other.generateDataKey(ring.keyArn(id), context), KeyUnavailableError)
    })

    test('a key whose time has come is gone, with its aliases; until then its deletion can be cancelled', async () => {
      const { ring, settings } = await openRing('us-west-2')
      const { id } = await ring.create({ ...draft, multiRegion: false })
      await ring.createAlias('alias/short-lived', id)
      await ring.scheduleDeletion(id, 7)
      await ring.cancelDeletion(id)
      assert.equal((await ring.get(id)).state, 'Disabled')
      await ring.scheduleDeletion(id, 7)
      clock.time += 7 * DAY - 1
      assert.equal((await ring.get(id)).state, 'PendingDeletion')
      clock.time += 1
      assert.deepEqual(await ring.list({ limit: 10 }), [])
      assert.deepEqual(await ring.listAliases({ limit: 10 }), [])
      await assert.rejects(ring.get(id), refused('key-not-found'))
      assert.equal(await settings.store.find('kms-key', { pool: '', key: id }), undefined)
      assert.equal(await settings.store.find('kms-alias', { pool: '', key: 'alias/short-lived' }), undefined)
    })

    test('what one region of a multi-Region key wraps, the other opens', async () => {
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
      // Disabling is each region's own.
      await west.disable(id)
      assert.deepEqual(await east.unwrap(east.keyArn(id), wrapped, context), plain)
      // Delivered again: nothing changes.
      const before = await east.get(id)
      await east.accept(sent[0])
      assert.deepEqual(await east.get(id), before)
      await west.enable(id)
      await assert.rejects(west.replicate(id, 'us-east-1', draft), refused('region-has-replica'))
      await assert.rejects(west.replicate(id, 'us-west-2', draft), refused('region-same'))
      await assert.rejects(west.replicate(id, 'mars-north-1', draft), refused('region-unknown'))
      await assert.rejects(east.replicate(id, 'us-west-2', draft), refused('key-not-multi-region-primary'))
    })

    test('a message is taken only from the cluster, only where it was sent, and only in time', async () => {
      const { rings, sent } = await openPlane('us-west-2', 'us-east-1', 'eu-west-1')
      const [west, east, europe] = rings as [LocalKeyRing, LocalKeyRing, LocalKeyRing]
      const { id } = await west.create({ ...draft, multiRegion: true })
      await west.replicate(id, 'us-east-1', draft)
      const message = sent[0] as SealedKeyMessage
      const { ring: stranger } = await openRing('us-east-1', {
        clusterSecret: 'another secret altogether, of another cluster',
      })
      const { ring: alone } = await openRing('us-east-1')
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

    test('a key is not replicated to a region that is down, and is when it is back', async () => {
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

    test('of two calls for the same region one makes the replica', async () => {
      const { rings } = await openPlane('us-west-2', 'us-east-1')
      const [west, east] = rings as [LocalKeyRing, LocalKeyRing]
      const { id } = await west.create({ ...draft, multiRegion: true })
      const results = await Promise.allSettled([1, 2, 3].map(() => west.replicate(id, 'us-east-1', draft)))
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
      const grants = await Promise.all([west, east].map(async (ring) => (await ring.get(id)).multiRegion?.replicas))
      assert.deepEqual(grants[0], grants[1])
    })

    test('a primary key waits for its replicas before its own time of deletion begins', async () => {
      const { rings, down, lost } = await openPlane('us-west-2', 'us-east-1')
      const [west, east] = rings as [LocalKeyRing, LocalKeyRing]
      const { id } = await west.create({ ...draft, multiRegion: true })
      // The first attempt arrives, and its answer is lost: the second must leave both sides of one mind.
      lost.answers = true
      await assert.rejects(west.replicate(id, 'us-east-1', draft), refused('region-unreachable'))
      lost.answers = false
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
      // The region can be given a key again.
      const again = await west.create({ ...draft, multiRegion: true })
      await west.replicate(again.id, 'us-east-1', draft)
    })

    test('replicas learn of replicas made later, at once or by a later sweep', async () => {
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
