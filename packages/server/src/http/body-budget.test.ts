import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { until } from '@twinpool/testing/regions'
import { createBodyBudget, LARGEST_BODY_BYTES, MIN_BUDGET_BYTES } from './body-budget.ts'

const LARGE_BODIES = MIN_BUDGET_BYTES / LARGEST_BODY_BYTES - 1

function openBudget() {
  const budget = createBodyBudget({ bytes: MIN_BUDGET_BYTES, overload: { noted: () => {}, recent: () => undefined } })
  const ended: string[] = []
  return { ended, open: (name: string) => budget.open(() => void ended.push(name)) }
}

describe('the budget of request bodies', () => {
  it('ends the body that has made no progress for longest', () => {
    const { ended, open } = openBudget()
    const [slow, steady, fast] = [open('slow'), open('steady'), open('fast')]
    const eighth = LARGEST_BODY_BYTES / 8
    for (const share of [steady, slow, steady, fast]) assert.ok(share.grow(eighth))
    assert.ok(fast.grow(5 * eighth))
    assert.deepEqual(ended, ['slow'])
    assert.ok(fast.grow(eighth))
    assert.deepEqual(ended, ['slow', 'steady'])
    assert.ok(!fast.grow(LARGEST_BODY_BYTES))
  })

  it('ends no complete body, and has room again after its release', () => {
    const { ended, open } = openBudget()
    const complete = open('complete')
    assert.ok(complete.grow(LARGEST_BODY_BYTES))
    complete.complete()
    const next = open('next')
    assert.ok(!next.grow(1))
    next.release()
    complete.release()
    complete.release()
    assert.ok(open('last').grow(LARGEST_BODY_BYTES))
    assert.deepEqual(ended, [])
  })

  it('has a few large buffers, which are used again', async () => {
    const { open } = openBudget()
    const shares = Array.from({ length: LARGE_BODIES + 1 }, (_, at) => open(`${at}`))
    const buffers = shares.map((share) => share.largeBuffer())
    const [first] = buffers
    assert.ok(buffers.slice(0, LARGE_BODIES).every(Buffer.isBuffer))
    assert.ok(buffers.at(-1) instanceof Promise)
    shares[0]?.release()
    assert.equal(await buffers.at(-1), first)
  })

  it('ends a large body that makes no progress while another one waits', async () => {
    const { ended, open } = openBudget()
    const shares = Array.from({ length: LARGE_BODIES }, (_, at) => open(`${at}`))
    for (const share of shares) {
      share.grow(1)
      share.largeBuffer()
    }
    shares[0]?.complete()
    const waiting = open('waiting').largeBuffer()
    await until(
      () => {
        shares[1]?.moved()
        return ended.length > 0
      },
      { what: 'the end of a stalled body' },
    )
    assert.ok(Buffer.isBuffer(await waiting))
    assert.ok(!ended.includes('0') && !ended.includes('1'))
  })
})
