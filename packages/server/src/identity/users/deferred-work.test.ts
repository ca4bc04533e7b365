import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemClock } from '../../clock.ts'
import { notAuthorized } from '../../errors.ts'
import { createDeferredWork } from './deferred-work.ts'

const call = { operation: 'ForgotPassword', pool: 'us-west-2_000000000' }

function start(capacity?: number) {
  const events: unknown[] = []
  const waits: number[] = []
  const clock = {
    randomBytes: systemClock.randomBytes,
    wait: async (milliseconds: number, signal?: AbortSignal) => {
      waits.push(milliseconds)
      // Until the end: no work begins by itself.
      await systemClock.wait(1_000_000, signal)
    },
  }
  const noted = (event: string, details: object) => void events.push({ event, ...details })
  const deferred = createDeferredWork({ clock, events: { noted }, ...(capacity !== undefined && { capacity }) })
  return { deferred, events, waits }
}

describe('work after the response', () => {
  it('begins at a random moment within half a second, and at the end at once', async () => {
    const { deferred, waits } = start()
    let done = 0
    for (let at = 0; at < 100; at += 1) {
      deferred.add(call, async () => {
        done += 1
      })
    }
    assert.equal(done, 0)
    assert.equal(new Set(waits).size > 50, true)
    assert.equal(
      waits.every((milliseconds) => milliseconds >= 0 && milliseconds < 500),
      true,
    )
    await deferred.finish()
    assert.equal(done, 100)
  })

  it('runs four at a time', async () => {
    const { deferred } = start()
    const { promise, resolve } = Promise.withResolvers<void>()
    let running = 0
    let most = 0
    for (let at = 0; at < 20; at += 1) {
      deferred.add(call, async () => {
        running += 1
        most = Math.max(most, running)
        if (running === 4) resolve()
        await promise
        running -= 1
      })
    }
    await deferred.finish()
    assert.equal(most, 4)
  })

  it('is refused when too much of it is waiting', async () => {
    const { deferred } = start(2)
    const nothing = async () => {}
    deferred.add(call, nothing)
    deferred.add(call, nothing)
    assert.throws(() => deferred.add(call, nothing), { name: 'TooManyRequestsException' })
    await deferred.finish()
    deferred.add(call, nothing)
    await deferred.finish()
  })

  it('reports failures, but no refusals, which every caller can cause', async () => {
    const { deferred, events } = start()
    deferred.add(call, async () => {
      throw new Error('the inbox cannot be reached')
    })
    deferred.add(call, async () => {
      throw notAuthorized('User is disabled.')
    })
    await deferred.finish()
    assert.deepEqual(events, [{ event: 'deferred-work-failed', ...call, why: 'the inbox cannot be reached' }])
  })
})
