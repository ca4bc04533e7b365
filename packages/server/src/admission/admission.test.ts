import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turnOfTheLoop } from 'node:timers'
import { createAdmission } from './admission.ts'

const admit = (limits: { calls: number; passwords: number }) => {
  const reasons: string[] = []
  const overload = { noted: (why: string) => void reasons.push(why), recent: () => reasons.at(-1) }
  return { admission: createAdmission({ limits, overload }), reasons }
}

const TOO_MANY = { name: 'TooManyRequestsException', message: 'Rate exceeded' }

describe('admission', () => {
  it('admits calls up to the limit, refuses more, and admits the next when one has finished', () => {
    const { admission, reasons } = admit({ calls: 2, passwords: 1 })
    admission.enter()
    admission.enter()
    assert.throws(() => admission.enter(), TOO_MANY)
    assert.deepEqual(reasons, ['2 calls were in progress: more were refused'])
    admission.leave()
    admission.enter()
  })

  it('gives passwords a few turns in each iteration of the event loop, in their order of arrival', async () => {
    const { admission } = admit({ calls: 100, passwords: 100 })
    const done: number[] = []
    const tries = Array.from({ length: 40 }, async (_, at) => {
      await admission.turn()
      done.push(at)
    })
    const around = (): Promise<number> => {
      const { promise, resolve } = Promise.withResolvers<number>()
      turnOfTheLoop(() => resolve(done.length))
      return promise
    }
    const progress: number[] = []
    while (done.length < tries.length) progress.push(await around())
    assert.ok(progress.length >= 3, `all in ${progress.length} turns`)
    await Promise.all(tries)
    assert.deepEqual(
      done,
      [...done].sort((a, b) => a - b),
    )
  })

  it('refuses a password when too many are waiting', async () => {
    const { admission, reasons } = admit({ calls: 100, passwords: 3 })
    const tries = await Promise.allSettled(Array.from({ length: 20 }, async () => admission.turn()))
    const refused = tries.filter(({ status }) => status === 'rejected')
    assert.equal(refused.length, 20 - 8 - 3)
    assert.deepEqual(new Set(reasons), new Set(['3 passwords were waiting to be checked: more were refused']))
  })
})
