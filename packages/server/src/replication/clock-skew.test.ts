import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ClockSample } from '../clock-samples.ts'
import { createSkewWatch } from './clock-skew.ts'

const PEER = 'us-east-1'

/** The events after each of the samples, and whether the peer counts as skewed in the end. */
function reportOf(samples: readonly ClockSample[]) {
  const events: string[] = []
  const watch = createSkewWatch({ noted: (event) => void events.push(event), clockMeasured: () => {} })
  for (const sample of samples) watch.measured(PEER, sample)
  return { events, skewed: watch.skewed().map(({ aheadSeconds }) => aheadSeconds) }
}

describe('a difference between the clocks of two regions', () => {
  it('is reported once above 5 s, in either direction, with its present value', () => {
    for (const sign of [1, -1]) {
      const samples = [4_990, 5_010, 6_000, 8_000].map((ahead) => ({ ahead: sign * ahead, error: 1 }))
      assert.deepEqual(reportOf(samples), { events: ['clocks-differ'], skewed: [sign * 8] })
    }
  })

  it('is reported again only after it was below 4.5 s', () => {
    const around = [5_010, 4_990, 5_010, 4_510, 5_010].map((ahead) => ({ ahead, error: 1 }))
    assert.deepEqual(reportOf(around).events, ['clocks-differ'])
    const beyond = [5_010, 4_490, 5_010].map((ahead) => ({ ahead, error: 1 }))
    assert.deepEqual(reportOf(beyond).events, ['clocks-differ', 'clocks-agree', 'clocks-differ'])
  })

  it('is neither reported nor cleared by a slow request, which may be wrong by half of its duration', () => {
    const slow = { ahead: 5_500, error: 600 }
    assert.deepEqual(reportOf([slow]), { events: [], skewed: [] })
    const events = reportOf([
      { ahead: 8_000, error: 1 },
      { ahead: 4_000, error: 4_500 },
    ])
    assert.deepEqual(events, { events: ['clocks-differ'], skewed: [4] })
  })
})
