import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addSample, bestOf, type ClockSample } from './clock-samples.ts'

const bestAfter = (samples: readonly ClockSample[]) => bestOf(samples.reduce<ClockSample[]>(addSample, []))

describe('the time of another clock', () => {
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
