import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { engines } from '@twinpool/testing/regions'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import { systemClock } from '../clock.ts'
import type { ClockSample } from '../clock-samples.ts'
import { createEvents } from '../events/events.ts'
import { openPeerClocks } from './peer-clocks.ts'

const PEER = 'us-east-1'
const START = 1_800_000_000_000

for (const engine of engines) {
  describe(`the saved time of a peer's clock: ${engine}`, () => {
    let opened: TestStore
    before(async () => {
      opened = await openTestStore(engine, { clock: systemClock, region: 'us-west-2' })
    })
    after(() => opened?.close())

    /**
     * Starts a process whose clock is ahead of the region's, measures each of the samples, and returns the values known at the start
     * and after each.
     */
    const measure = async (samples: readonly ClockSample[], { ahead = 0 } = {}): Promise<(number | undefined)[]> => {
      const stopping = new AbortController()
      const known: (number | undefined)[] = []
      const left = [...samples]
      const clock = async (): Promise<ClockSample> => {
        known.push(clocks.ahead(PEER))
        const sample = left.shift()
        if (sample) return sample
        stopping.abort()
        throw new Error('all are measured')
      }
      const clocks = await openPeerClocks({
        store: opened.store,
        clock: { ...systemClock, now: () => START + ahead, wait: async () => {} },
        regionClock: { now: () => START },
        peers: new Map([[PEER, { clock }]]),
        events: createEvents({ region: 'us-west-2', level: 'silent' }),
      })
      await clocks.run(stopping.signal)
      return known
    }

    it('is kept over a restart, and is replaced by a request that is not slow, or by one that contradicts it', async () => {
      assert.deepEqual(await measure([{ ahead: 40, error: 1 }]), [undefined, 40])
      const samples = [
        { ahead: 1_500, error: 2_000 },
        { ahead: 60, error: 80 },
      ]
      assert.deepEqual(await measure(samples), [40, 40, 60])
      assert.deepEqual(await measure([{ ahead: 9_000, error: 2_000 }]), [60, 9_000])
    })

    it('holds in another process of the region, whose clock differs', async () => {
      assert.equal((await measure([{ ahead: 500, error: 1 }], { ahead: 300 })).at(-1), 500)
      assert.deepEqual(await measure([], { ahead: -200 }), [1_000])
      assert.deepEqual(await measure([], { ahead: 300 }), [500])
    })
  })
}
