import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StoreBusyError } from './database.ts'
import { createPermits } from './permits.ts'

const open = (milliseconds = 60_000) => createPermits({ count: 2, milliseconds, reason: () => undefined })

describe('permits', () => {
  it('go to the callers in the order of their calls', async () => {
    const permits = open()
    const held = [await permits.take(), await permits.take()]
    const order: string[] = []
    const third = permits.take().then(() => order.push('third'))
    const fourth = permits.take().then(() => order.push('fourth'))
    for (const { giveBack } of held) giveBack()
    await Promise.all([third, fourth])
    assert.deepEqual(order, ['third', 'fourth'])
  })

  it('are refused when none is given back in time', async () => {
    const permits = open(1)
    await permits.take()
    await permits.take()
    await assert.rejects(permits.take(), StoreBusyError)
  })

  it('are refused at once while all are held by lost work, and given again once that has ended', async () => {
    const permits = open()
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const [one, other] = [await permits.take(), await permits.take()]
    const waiting = assert.rejects(permits.take(), StoreBusyError)
    one.holdUntil(ended)
    other.holdUntil(ended)
    await waiting
    await assert.rejects(permits.take(), StoreBusyError)
    end()
    await ended
    await permits.take()
    await permits.take()
  })
})
