import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { engines } from '@twinpool/testing/regions'
import { openTestStore, type TestStore } from '@twinpool/testing/stores'
import { systemClock } from '../../clock.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import type { Pool } from '../../directory/pool.ts'
import { createPoolKeys } from '../../keys/pool-keys.ts'
import type { KeyProvider } from '../../keys/provider.ts'
import { ONLY } from '../../store/kinds.ts'
import { createThrottling, type Throttling } from '../../store/throttling.ts'
import { openPageToken, sealPageToken } from '../page-token.ts'
import {
  type CodePurpose,
  checkHourlyLimit,
  clearWrongCodes,
  findCodeTarget,
  issueCode,
  limitWrongCodes,
  redeemCode,
} from './codes.ts'

const HOUR = 3_600_000
const EXPIRED = { name: 'ExpiredCodeException', message: 'Invalid code provided, please request a code again.' }
const MISMATCH = { name: 'CodeMismatchException', message: 'Invalid verification code provided, please try again.' }
const sub = '00000000-0000-4000-8000-000000000001'
const target = { attribute: 'email', value: 'ann@example.com' } as const
const user = { sub, attributes: { email: target.value, email_verified: 'true' } }

/** Does not wrap: key management is tested elsewhere. */
const provider = {
  generateDataKey: async () => {
    const plain = randomBytes(32)
    return { plain, wrapped: plain }
  },
  unwrap: async (_: string, wrapped: Buffer) => wrapped,
  onChange: () => {},
} as unknown as KeyProvider

for (const engine of engines) {
  describe(`one-time codes on ${engine}`, () => {
    let now = Date.UTC(2026, 0, 1)
    const clock = { ...systemClock, now: () => now }
    let opened: TestStore
    let throttling: Throttling
    let openPool: OpenPool
    before(async () => {
      opened = await openTestStore(engine, { clock, region: 'us-west-2' })
      throttling = createThrottling({ engine: opened.store.engine, clock })
      const keys = createPoolKeys({ store: opened.store, provider, clock, events: { noted: () => {} } })
      const id = 'us-west-2_000000000'
      const dataKey = await keys.create(id, 'arn:aws:kms:us-west-2:000000000000:key/one')
      await opened.store.write(async (tx) => {
        await tx.put('topology', { pool: id, key: ONLY, body: JSON.stringify({ primary: 'us-west-2', epoch: 1 }) })
        await dataKey.write(tx)
      })
      openPool = { pool: { id, document: {} } as Pool, cipher: await keys.get(id) }
    })
    after(() => opened.close())

    const issue = (purpose: CodePurpose) =>
      opened.store.write((tx) => issueCode(tx, { clock }, openPool, { sub, purpose, ...target }))
    const redeem = (purpose: CodePurpose, code: string) =>
      opened.store.write((tx) => redeemCode(tx, openPool, user, { purpose, code }))
    const findTarget = (purpose: CodePurpose) =>
      opened.store.write((tx) => findCodeTarget(tx, openPool, { sub, purpose }))

    test('a code is six digits, returns its address, and works once', async () => {
      const code = await issue('sign-up')
      assert.match(code, /^\d{6}$/)
      assert.deepEqual(await redeem('sign-up', code), target)
      await assert.rejects(redeem('sign-up', code), EXPIRED)
    })

    for (const [purpose, hours] of [
      ['sign-up', 24],
      ['reset', 1],
      ['verify-email', 24],
    ] as const) {
      test(`a code for ${purpose} lives ${hours} h`, async () => {
        const code = await issue(purpose)
        now += hours * HOUR - 1
        assert.deepEqual(await findTarget(purpose), target)
        now += 1
        assert.equal(await findTarget(purpose), undefined)
        await assert.rejects(redeem(purpose, code), EXPIRED)
        const fresh = await issue(purpose)
        now += hours * HOUR - 1
        await redeem(purpose, fresh)
      })
    }

    test('a code is valid for its own purpose only', async () => {
      const code = await issue('verify-email')
      await assert.rejects(redeem('verify-phone_number', code), EXPIRED)
      await redeem('verify-email', code)
    })

    test('a wrong code of any length is a mismatch', async () => {
      await issue('reset')
      for (const wrong of ['', '1', 'x'.repeat(2_048)]) await assert.rejects(redeem('reset', wrong), MISMATCH)
    })

    test('the stored row reveals neither the code nor its address', async () => {
      const code = await issue('reset')
      const row = await opened.store.find('code', { pool: openPool.pool.id, key: `${sub}/reset` })
      const sealed = Buffer.from(row?.body ?? '', 'base64').toString('latin1')
      for (const secret of [code, target.value]) assert.ok(!sealed.includes(secret))
    })

    test('after 25 wrong codes, only a new code works', async () => {
      const purpose = 'sign-up'
      const code = await issue(purpose)
      const attempt = (given: string) =>
        limitWrongCodes({ throttling }, openPool, { sub, purpose }, () => redeem(purpose, given))
      for (let at = 0; at < 25; at += 1) await assert.rejects(attempt('wrong'), MISMATCH)
      await assert.rejects(attempt(code), { name: 'TooManyFailedAttemptsException' })
      const fresh = await issue(purpose)
      await clearWrongCodes({ throttling }, openPool, { sub, purpose })
      await attempt(fresh)
    })

    test('an hourly limit resets after the hour, and counts each name separately', async () => {
      const call = (name: string) => checkHourlyLimit({ throttling }, openPool, 'ResendConfirmationCode', name)
      for (let at = 0; at < 5; at += 1) await call('ann')
      await assert.rejects(call('ann'), {
        name: 'LimitExceededException',
        message: 'Attempt limit exceeded, please try after some time.',
      })
      await call('bob')
      now += HOUR
      await call('ann')
    })

    test('a page token is valid for an hour', () => {
      const list = ['ListUsers', '']
      const token = sealPageToken({ clock }, openPool, { list, after: 'key' })
      now += HOUR - 1
      assert.equal(openPageToken({ clock }, openPool, { list, token }), 'key')
      now += 1
      assert.throws(() => openPageToken({ clock }, openPool, { list, token }), {
        name: 'InvalidParameterException',
        message: 'Invalid pagination token given.',
      })
    })
  })
}
