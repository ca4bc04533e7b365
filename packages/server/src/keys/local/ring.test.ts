import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, describe, test } from 'node:test'
import { createKeyRings } from '@twinpool/testing/key-rings'
import { systemClock } from '../../clock.ts'
import { KeyUnavailableError } from '../provider.ts'
import { KeyRefusedError } from './key-record.ts'
import { createLocalKeyRing } from './ring.ts'

const engines = ['sqlite', ...(process.env.TWINPOOL_TEST_POSTGRES ? (['postgres'] as const) : [])] as const
const DAY = 86_400_000
const draft = { description: '', policy: null, tags: [] }
const context = { 'twinpool:user-pool': 'us-west-2_abc' }

const refused = (refusal: string) => (error: unknown) => error instanceof KeyRefusedError && error.refusal === refusal

for (const engine of engines) {
  describe(`the local key ring on ${engine}`, () => {
    const clock = { ...systemClock, now: () => clock.time, time: Date.UTC(2026, 0, 1) }
    const { openRing, close } = createKeyRings(engine, clock)
    afterEach(async () => {
      await close()
      clock.time = Date.UTC(2026, 0, 1)
    })

    test('concurrent calls create one service key, and the API does not show it', async () => {
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

    test('a data key unwraps with its key and its context only', async () => {
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

    test('material is sealed at rest, under the master key and for its own ARN', async () => {
      const { ring, settings } = await openRing('us-west-2')
      const [one, other] = [
        await ring.create({ ...draft, multiRegion: false }),
        await ring.create({ ...draft, multiRegion: false }),
      ]
      const stranger = createLocalKeyRing({
        ...settings,
        secrets: { masterKeys: [randomBytes(32)], clusterSecrets: [] },
      })
      await assert.rejects(stranger.generateDataKey(ring.keyArn(one.id), context), KeyUnavailableError)
      const row = await settings.store.find('kms-key', { pool: '', key: one.id })
      const moved = { ...JSON.parse(row?.body as string), id: other.id }
      await settings.store.write((tx) => tx.set('kms-key', { pool: '', key: other.id, body: JSON.stringify(moved) }))
      await assert.rejects(ring.generateDataKey(ring.keyArn(other.id), context), KeyUnavailableError)
    })

    test('an old master key cannot be removed while a key is still sealed under it, as after an interrupted rekey', async () => {
      const { ring, settings } = await openRing('us-west-2')
      await ring.ensureServiceKey()
      const [present] = settings.secrets.masterKeys as [Buffer]
      const old = randomBytes(32)
      const secrets = { masterKeys: [old, present], clusterSecrets: [] }
      const both = createLocalKeyRing({ ...settings, secrets })
      const { id } = await both.create({ ...draft, multiRegion: false })
      await assert.rejects(both.checkMasterKeys([present]), new RegExp(`does not open .*key/${id}`))
      await both.checkMasterKeys([present, old])
      secrets.masterKeys.reverse()
      assert.equal((await both.rekey()).resealed, 1)
      await both.checkMasterKeys([present])
      await assert.rejects(both.checkMasterKeys([old]), KeyUnavailableError)
      // A key that is lost anyway does not keep the region from taking new settings.
      await createLocalKeyRing({ ...settings, secrets: { masterKeys: [randomBytes(32)], clusterSecrets: [] } }).create({
        ...draft,
        multiRegion: false,
      })
      await both.checkMasterKeys([present])
    })

    test('a disabled key is unavailable to every ring of the region at once, and listeners are notified', async () => {
      const { ring, settings } = await openRing('us-west-2')
      const sibling = createLocalKeyRing(settings)
      const { id } = await ring.create({ ...draft, multiRegion: false })
      const arn = ring.keyArn(id)
      const { wrapped, plain } = await sibling.generateDataKey(arn, context)
      const notified: string[] = []
      sibling.onChange((changed) => notified.push(changed))
      await ring.disable(id)
      // PostgreSQL's notification of the creation may arrive this late.
      assert.deepEqual([...new Set(notified)], [arn])
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

    test('a key is removed with its aliases when its deletion is due; until then the deletion can be cancelled', async () => {
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
  })
}
