import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { engines } from '@twinpool/testing/regions'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import { systemClock } from '../clock.ts'
import { createEvents } from '../events/events.ts'
import { addSample, bestOf, type ClockSample, openPeerClocks } from './peer-clocks.ts'

const bestAfter = (samples: readonly ClockSample[]) => bestOf(samples.reduce<ClockSample[]>(addSample, []))

describe("the time of a peer's clock", () => {
  it('is taken from the shortest of the recent requests', () => {
    const samples = [
      { ahead: 340, error: 60 },
      { ahead: 301, error: 4 },
      { ahead: 270, error: 40 },
    ]
    assert.deepEqual(bestAfter(samples), { ahead: 301, error: 4 })
  })

  it('is measured again when a clock was set', () => {
    const samples = [
      { ahead: 300, error: 1 },
      { ahead: 301, error: 2 },
      { ahead: 0, error: 30 },
    ]
    assert.deepEqual(bestAfter(samples), { ahead: 0, error: 30 })
  })

  it('follows a drift: old samples are forgotten', () => {
    const samples = Array.from({ length: 20 }, (_, at) => ({ ahead: at, error: 1 + at / 10 }))
    assert.ok((bestAfter(samples) as ClockSample).ahead >= 12)
  })
})

const PEER = 'us-east-1'

for (const engine of engines) {
  describe(`the saved time of a peer's clock: ${engine}`, () => {
    let opened: TestStore
    before(async () => {
      opened = await openTestStore(engine, { clock: systemClock, region: 'us-west-2' })
    })
    after(() => opened?.close())

    /** Starts a process, measures each of the samples, and returns the values known at the start and after each. */
    const measure = async (samples: readonly ClockSample[]): Promise<(number | undefined)[]> => {
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
        clock: { ...systemClock, wait: async () => {} },
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
  })
}
