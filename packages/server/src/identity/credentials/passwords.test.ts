import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { AdminSetUserPasswordCommand } from '@aws-sdk/client-cognito-identity-provider'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'
import type { Pool } from '../../directory/pool.ts'
import { CognitoError } from '../../errors.ts'
import { checkPasswordPolicy } from './passwords.ts'

const poolWith = (PasswordPolicy?: object) => ({ document: { Policies: PasswordPolicy && { PasswordPolicy } } }) as Pool

/** The policy error of a password; undefined for a valid one. */
const mistake = (password: string, policy?: object): string | undefined => {
  try {
    checkPasswordPolicy(poolWith(policy), password)
    return undefined
  } catch (error) {
    assert.ok(error instanceof CognitoError)
    assert.equal(error.code, 'InvalidPasswordException')
    return error.message.replace('Password did not conform with policy: ', '')
  }
}

describe('the password policy', () => {
  it('is strict if the pool has none', () => {
    assert.equal(mistake('Ab1-xyz'), 'Password not long enough')
    assert.equal(mistake('ab1-wxyz'), 'Password must have uppercase characters')
    assert.equal(mistake('AB1-WXYZ'), 'Password must have lowercase characters')
    assert.equal(mistake('Abc-wxyz'), 'Password must have numeric characters')
    assert.equal(mistake('Abc1wxyz'), 'Password must have symbol characters')
    assert.equal(mistake('Ab1-wxyz'), undefined)
  })

  it('requires exactly the rules of the pool', () => {
    assert.equal(mistake('aaaaaa', { MinimumLength: 6 }), undefined)
    assert.equal(mistake('aaaaa', { MinimumLength: 6 }), 'Password not long enough')
    assert.equal(mistake('aaaaaa', { MinimumLength: 6, RequireNumbers: true }), 'Password must have numeric characters')
  })

  it('accepts the symbols of Cognito, and a space only inside', () => {
    const policy = { MinimumLength: 6, RequireSymbols: true }
    for (const symbol of '^$*.[]{}()?"!@#%&/\\,><\':;|_~`=+- ') {
      assert.equal(mistake(`aaa${symbol}aaa`, policy), undefined, symbol)
    }
    for (const password of [' aaaaaa', 'aaaaaa ', 'aaa§aaa', 'aaaéaaa']) {
      assert.equal(mistake(password, policy), 'Password must have symbol characters', password)
    }
  })
})

for (const engine of engines) {
  describe(`passwords on ${engine}`, () => {
    let plane: Plane
    let pool: string
    let client: TestClient

    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
      pool = await createPool(plane.primary, {
        Policies: { PasswordPolicy: { MinimumLength: 8, PasswordHistorySize: 2 } },
      })
      client = await createClient(plane.primary, pool)
    })
    after(() => plane.stop())

    const set = (Username: string, Password: string) =>
      plane.primary.cognito.send(
        new AdminSetUserPasswordCommand({ UserPoolId: pool, Username, Password, Permanent: true }),
      )

    it('cannot be reused while they are in the history of the pool', async () => {
      await createUser(plane.primary, pool, { username: 'ada', password: 'password-0', temporary: true })
      const used = { name: 'PasswordHistoryPolicyViolationException', message: 'Password has previously been used.' }
      await set('ada', 'password-1')
      await set('ada', 'password-2')
      await assert.rejects(set('ada', 'password-2'), used)
      await assert.rejects(set('ada', 'password-1'), used)
      assert.ok((await people(plane.primary).signIn(client, { username: 'ada', password: 'password-2' })).AccessToken)
      await set('ada', 'password-3')
      await set('ada', 'password-1')
      await assert.rejects(people(plane.primary).signIn(client, { username: 'ada', password: 'password-2' }), {
        name: 'NotAuthorizedException',
      })
      assert.ok((await people(plane.primary).signIn(client, { username: 'ada', password: 'password-1' })).AccessToken)
    })

    it('may use any script, and match exactly', async () => {
      await createUser(plane.primary, pool, { username: 'grace', temporary: true })
      await set('grace', 'пароль-Ünï-密碼')
      assert.ok(
        (await people(plane.primary).signIn(client, { username: 'grace', password: 'пароль-Ünï-密碼' })).AccessToken,
      )
      await assert.rejects(people(plane.primary).signIn(client, { username: 'grace', password: 'пароль-Ünï-密码' }), {
        name: 'NotAuthorizedException',
      })
    })

    it('are not readable in the store', async () => {
      const rows = await plane.primary.region.context.store.list('credential', { pool, limit: 10 })
      assert.ok(rows.length >= 2)
      for (const { body } of rows) assert.doesNotMatch(Buffer.from(body, 'base64').toString('latin1'), /salt|verifier/)
    })
  })
}
