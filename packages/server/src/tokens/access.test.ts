import assert from 'node:assert/strict'
import type { KeyObject } from 'node:crypto'
import { describe, it } from 'node:test'
import { takeKeyPair } from '@twinpool/testing/key-pairs'
import { createVerifiedTokens, verifyAccessToken } from './access.ts'
import { createJwtSigner } from './jwt.ts'
import type { SigningKeys } from './signing-keys.ts'

const endpoint = 'http://127.0.0.1:9401'
const pool = 'us-west-2_Access000'
const refusedAs = (message: string) => ({ name: 'NotAuthorizedException', message })

/** A region with one replaceable key and an adjustable clock. */
function openRegion() {
  const state = { now: 0, ...takeKeyPair() }
  const signingKeys = {
    verifying: async (id: string, kid: string) =>
      id === pool && kid === 'a' ? { use: 'access', key: state.publicKey as KeyObject } : undefined,
  } as SigningKeys
  const context = {
    endpoint,
    endpoints: {},
    issuerBase: endpoint,
    clock: { now: () => state.now },
    signingKeys,
    verifiedTokens: createVerifiedTokens(),
  }
  const claims = { iss: `${endpoint}/${pool}`, sub: 'ada', token_use: 'access', scope: 'aws.cognito.signin.user.admin' }
  return {
    state,
    read: (token: string) => verifyAccessToken(context, token),
    issue: async (more: object = {}) => {
      const unsigned = { signer: { kid: 'a', key: state.privateKey }, claims: { ...claims, exp: 60, ...more } }
      return (await createJwtSigner().signPair(unsigned, unsigned))[0]
    },
  }
}

describe('an access token that is presented twice', () => {
  it('has equal claims, which one caller cannot change for another', async () => {
    const { read, issue } = openRegion()
    const token = await issue()
    const first = await read(token)
    const second = await read(token)
    assert.equal(first.pool, pool)
    assert.deepEqual(first, second)
    assert.ok(Object.isFrozen(first.claims))
  })

  it('is refused when any part of it is changed', async () => {
    const { read, issue } = openRegion()
    const token = await issue()
    await read(token)
    const [header, , signature] = token.split('.')
    const [, payload] = (await issue({ sub: 'grace' })).split('.')
    const forged = [`${header}.${payload}.${signature}`, `${token.slice(0, -8)}AAAAAAAA`, `${token}A`]
    for (const text of forged) {
      // Twice: a refused token must not be cached as verified.
      for (let time = 0; time < 2; time += 1) await assert.rejects(read(text), { name: 'NotAuthorizedException' })
    }
  })

  it('is refused once it has expired', async () => {
    const { state, read, issue } = openRegion()
    const token = await issue()
    await read(token)
    state.now = 60_000
    await assert.rejects(read(token), refusedAs('Access Token has expired'))
  })

  it('is refused once its key has been replaced, even by a key with the same kid', async () => {
    const { state, read, issue } = openRegion()
    const token = await issue()
    await read(token)
    Object.assign(state, takeKeyPair())
    await assert.rejects(read(token), refusedAs('Could not verify signature for Access Token'))
    assert.equal((await read(await issue())).claims.sub, 'ada')
  })
})
