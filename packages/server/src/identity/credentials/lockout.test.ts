import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { engines } from '@twinpool/testing/regions'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import type { OpenPool } from '../../directory/open-pool.ts'
import type { Pool } from '../../directory/pool.ts'
import { createThrottling, type Throttling } from '../../store/throttling.ts'
import { createLockout, type Lockout } from './lockout.ts'

const openPool = { pool: { id: 'us-west-2_000000000' } as Pool } as OpenPool
const EXCEEDED = 'Password attempts exceeded'

for (const engine of engines) {
  describe(`lockout on ${engine}`, () => {
    let now = Date.UTC(2026, 0, 1)
    const clock = { now: () => now }
    let opened: TestStore
    let throttling: Throttling
    let lockout: Lockout
    let subs = 0
    let sub = ''

    const lockoutOver = (over: Throttling): Lockout => createLockout({ throttling: over, clock } as never)

    before(async () => {
      opened = await openTestStore(engine, { clock, region: 'us-west-2' })
      throttling = createThrottling({ engine: opened.store.engine, clock })
      lockout = lockoutOver(throttling)
    })
    beforeEach(() => {
      subs += 1
      sub = `sub ${subs}`
    })
    after(() => opened.close())

    /** Makes concurrent attempts; `checked`: how many of them were checked. */
    const tryAtOnce = async (count: number, correct = false, state = throttling) => {
      let checked = 0
      const tried = state === throttling ? lockout : lockoutOver(state)
      const outcomes = await Promise.all(
        Array.from({ length: count }, () =>
          tried
            .check(openPool, { name: sub, isDecoy: false }, async () => {
              checked += 1
              // Like a real check, which reads the password from the store first.
              await state.read('anything')
              return correct
            })
            .catch((error: Error) => error.message),
        ),
      )
      return { checked, outcomes }
    }

    test('concurrent guesses are limited like consecutive ones', async () => {
      const { checked, outcomes } = await tryAtOnce(50)
      assert.equal(checked, 5)
      assert.equal(outcomes.filter((outcome) => outcome === false).length, 5)
      assert.equal(outcomes.filter((outcome) => outcome === EXCEEDED).length, 45)
      now += 1_000
      assert.equal((await tryAtOnce(50)).checked, 1)
      now += 1_999
      assert.equal((await tryAtOnce(50)).checked, 0)
      now += 1
      assert.equal((await tryAtOnce(50)).checked, 1)
    })

    test('concurrent sign-ins with the correct password all succeed', async () => {
      const { checked, outcomes } = await tryAtOnce(50, true)
      assert.equal(checked, 50)
      assert.ok(outcomes.every((outcome) => outcome === true))
    })

    test('a guess is refused, and does not count, if another process reaches the limit during its check', async () => {
      const check = async () => {
        await throttling.update(`lockout\nus-west-2_000000000\n${sub}`, () => ({
          value: { count: 5, until: now + 1_000 },
          milliseconds: 900_000,
        }))
        return false
      }
      await assert.rejects(lockout.check(openPool, { name: sub, isDecoy: false }, check), { message: EXCEEDED })
      now += 1_000
      assert.equal((await tryAtOnce(1)).checked, 1)
      now += 2_000
      assert.equal((await tryAtOnce(1)).checked, 1)
    })

    test('a check that throws does not block later attempts', async () => {
      const broken = () => Promise.reject(new Error('no store'))
      await assert.rejects(lockout.check(openPool, { name: sub, isDecoy: false }, broken), {
        message: 'no store',
      })
      assert.equal((await tryAtOnce(1, true)).checked, 1)
    })

    test('a guess that could not be counted is refused before it is checked', async () => {
      const full = { ...throttling, hasRoom: () => false }
      const { checked, outcomes } = await tryAtOnce(1, true, full)
      assert.equal(checked, 0)
      assert.match(String(outcomes[0]), /no room/)
    })
  })
}
