import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, describe, test } from 'node:test'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import { systemClock } from '../clock.ts'
import type { Events } from '../events/events.ts'
import { exchangeOver, KeyExchangeError } from './local/key-exchange.ts'
import type { LocalKeyRing } from './local/ring.ts'
import { openKeys, type RegionKeys } from './open.ts'

const engines = ['sqlite', ...(process.env.TWINPOOL_TEST_POSTGRES ? (['postgres'] as const) : [])] as const
const DAY = 86_400_000
const WEST = 'us-west-2'
const EAST = 'us-east-1'
const draft = { description: '', policy: null, tags: [] }

for (const engine of engines) {
  describe(`the keys of a region on ${engine}`, () => {
    const opened: TestStore[] = []
    const failures: unknown[] = []
    const peers = new Map<string, RegionKeys>()
    /** A clock on which every wait lasts until `tick`, or until its signal. */
    const clock = {
      ...systemClock,
      time: Date.UTC(2026, 0, 1),
      now: () => clock.time,
      waits: new Set<() => void>(),
      wait: (_: number, signal?: AbortSignal) =>
        new Promise<void>((resolve, reject) => {
          clock.waits.add(resolve)
          signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
          waiting.resolve()
        }),
    }
    let waiting = Promise.withResolvers<void>()
    /** Ends the present waits, and resolves when the work that follows waits again. */
    const tick = async (): Promise<void> => {
      waiting = Promise.withResolvers()
      for (const resolve of clock.waits) resolve()
      clock.waits.clear()
      await waiting.promise
    }
    afterEach(async () => {
      for (const keys of peers.values()) await keys.stop()
      for (const { close } of opened.splice(0)) await close()
      peers.clear()
      waiting = Promise.withResolvers()
    })

    const open = async (region: string, settings: Parameters<typeof openKeys>[0]): Promise<RegionKeys> => {
      const testStore = await openTestStore(engine, { clock, region })
      opened.push(testStore)
      const keys = await openKeys(settings, {
        region,
        accountId: '000000000000',
        clusterSecrets: ['a secret that all regions of the cluster have'],
        store: testStore.store,
        clock,
        events: { failed: ({ error }: { error: unknown }) => void failures.push(error) } as unknown as Events,
        exchange: exchangeOver((name) => {
          const peer = peers.get(name)
          return (
            peer && {
              offerKey: async (message) => {
                const refused = await peer.accept(message)
                return refused === undefined ? undefined : { refused }
              },
              heldKeys: (after) => peer.held(region, after),
            }
          )
        }),
      })
      peers.set(region, keys)
      return keys
    }
    const local = () => ({ provider: 'local', masterKey: randomBytes(32).toString('base64') }) as const
    const atAws = (region: string) =>
      ({
        provider: 'aws-kms',
        serviceKeyArn: `arn:aws:kms:${region}:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab`,
        unwrappedForMinutes: 720,
      }) as const

    test('a region with a master key has a key ring, and its service key wraps data keys', async () => {
      const { provider, serviceKeyArn, keyRing } = await open(WEST, local())
      assert.equal(keyRing, provider)
      const { plain, wrapped } = await provider.generateDataKey(serviceKeyArn, {})
      assert.deepEqual(await provider.unwrap(serviceKeyArn, wrapped, {}), plain)
    })

    test('after the start, keys are removed when their deletion is due; after the stop, no longer', async () => {
      const keys = await open(WEST, local())
      const ring = keys.keyRing as LocalKeyRing
      const { store } = opened.at(-1) as TestStore
      const rows = async () => (await store.list('kms-key', { pool: '', limit: 10 })).length
      const serviceKeyOnly = await rows()
      const { id } = await ring.create({ ...draft, multiRegion: false })
      await ring.scheduleDeletion(id, 7)
      keys.start()
      await waiting.promise
      assert.equal(await rows(), serviceKeyOnly + 1)
      clock.time += 7 * DAY
      await tick()
      assert.equal(await rows(), serviceKeyOnly)
      await keys.stop()
      assert.deepEqual(failures, [])
    })

    test('a key reaches a peer through the exchange; a refusal carries its reason', async () => {
      const west = (await open(WEST, local())).keyRing as LocalKeyRing
      const { id } = await west.create({ ...draft, multiRegion: true })
      await assert.rejects(west.replicate(id, EAST, draft), { refusal: 'region-unknown' })
      const east = (await open(EAST, local())).keyRing as LocalKeyRing
      await west.replicate(id, EAST, draft)
      assert.equal((await east.get(id)).id, id)
      assert.match((await peers.get(EAST)?.accept('no message')) ?? '', /not a key message/)
    })

    test('a region whose keys AWS KMS holds has no key ring, and refuses the messages of other key rings', async () => {
      const keys = await open(EAST, atAws(EAST))
      assert.equal(keys.keyRing, undefined)
      assert.equal(keys.serviceKeyArn, atAws(EAST).serviceKeyArn)
      assert.equal(await keys.accept({}), 'this region has no key ring of its own')
      const west = (await open(WEST, local())).keyRing as LocalKeyRing
      const { id } = await west.create({ ...draft, multiRegion: true })
      await assert.rejects(west.replicate(id, EAST, draft), { refusal: 'region-refused' })
    })

    test('a peer that fails is unreachable for the key ring', async () => {
      const failing = exchangeOver(() => ({
        offerKey: () => Promise.reject(new Error('connection reset')),
        heldKeys: () => Promise.reject(new Error('connection reset')),
      }))
      const message = { from: WEST, to: EAST, sealed: '' }
      await assert.rejects(
        failing.offer(EAST, message),
        (error) => error instanceof KeyExchangeError && error.reason === 'unreachable',
      )
    })
  })
}
