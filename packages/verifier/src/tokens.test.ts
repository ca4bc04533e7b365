/** Which tokens pass, and which check refuses the others. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { createFakeClock } from '@twinpool/testing/fake-clock'
import { accessClaims, CLIENT, idClaims, makeKey, signToken } from '@twinpool/testing/issuer'
import fc from 'fast-check'
import {
  cognitoPool,
  createVerifier,
  InsufficientTokenError,
  selfHostedPool,
  TokenExpiredError,
  TokenRefusedError,
  type Verifier,
  VerifierError,
  webSignatures,
} from './index.ts'
import type { PoolOptions, VerifierOptions } from './settings.ts'

const addresses = cognitoPool({ userPoolId: 'us-west-2_Ab1Cd2Ef3', regions: ['us-west-2', 'us-east-1'] })
const issuer = addresses.issuers[0] as string
const [key, other] = [makeKey('key+1/='), makeKey('other=')]
const clock = createFakeClock()
const seed = { jwks: { keys: [key.jwk] }, fetchedAt: clock.now() }
const noFetch = () => assert.fail('asked an address')

type Pool = Partial<PoolOptions>

async function start(pool: Pool = {}, more: Partial<VerifierOptions> = {}): Promise<Verifier> {
  const pools = [{ ...addresses, tokenUse: 'access', clientIds: CLIENT, seed, ...pool }]
  const verifier = createVerifier({
    pools,
    clock,
    fetch: noFetch as never,
    refreshTimer: false,
    ...more,
  } as VerifierOptions)
  await verifier.ready()
  return verifier
}

const access = (more?: object) => signToken(key, accessClaims(issuer, clock.now(), more))
const id = (more?: object) => signToken(key, idClaims(issuer, clock.now(), more))
const seconds = Math.floor(clock.now() / 1000)

function refused(check: string, kind: typeof TokenRefusedError = TokenRefusedError) {
  return (error: unknown) => {
    assert.ok(error instanceof kind, inspect(error))
    assert.equal(error.check, check)
    return true
  }
}

type Case = { what: string; check: string | undefined; pool?: Pool; token: () => string }

const cases: Case[] = [
  { what: 'an access token', check: undefined, token: access },
  { what: 'an ID token', check: undefined, pool: { tokenUse: 'id' }, token: id },
  { what: 'an access token with tokenUse either', check: undefined, pool: { tokenUse: 'either' }, token: access },
  { what: 'an ID token with tokenUse either', check: undefined, pool: { tokenUse: 'either' }, token: id },
  { what: 'an ID token in place of an access token', check: 'token_use', token: id },
  { what: 'an access token in place of an ID token', check: 'token_use', pool: { tokenUse: 'id' }, token: access },
  {
    what: 'another token_use',
    check: 'token_use',
    pool: { tokenUse: 'either' },
    token: () => access({ token_use: 'refresh' }),
  },
  {
    what: 'no token_use',
    check: 'token_use',
    pool: { tokenUse: 'either' },
    token: () => access({ token_use: undefined }),
  },

  { what: 'the issuer of another region', check: undefined, token: () => access({ iss: addresses.issuers[1] }) },
  { what: 'the UPDATED issuer', check: undefined, token: () => access({ iss: addresses.issuers[2] }) },
  { what: 'the issuer of another pool', check: 'iss', token: () => access({ iss: `${issuer}4` }) },
  { what: 'an issuer with an extra slash', check: 'iss', token: () => access({ iss: `${issuer}/` }) },
  { what: 'the issuer in a list', check: 'iss', token: () => access({ iss: [issuer] }) },
  { what: 'no issuer', check: 'iss', token: () => access({ iss: undefined }) },

  { what: 'the client of another app', check: 'client', token: () => access({ client_id: 'another' }) },
  { what: 'no client', check: 'client', token: () => access({ client_id: undefined }) },
  { what: 'one of several clients', check: undefined, pool: { clientIds: ['x', CLIENT] }, token: access },
  {
    what: 'any client, with clientIds null',
    check: undefined,
    pool: { clientIds: null },
    token: () => access({ client_id: 'any' }),
  },
  {
    what: 'no client, with clientIds null',
    check: 'client',
    pool: { clientIds: null },
    token: () => access({ client_id: 1 }),
  },
  {
    what: 'the audience of another app',
    check: 'client',
    pool: { tokenUse: 'id' },
    token: () => id({ aud: 'another' }),
  },
  { what: 'two audiences', check: 'client', pool: { tokenUse: 'id' }, token: () => id({ aud: [CLIENT, 'another'] }) },
  {
    what: 'an ID token with a client_id in place of aud',
    check: 'client',
    pool: { tokenUse: 'id' },
    token: () => id({ aud: 'x', client_id: CLIENT }),
  },

  { what: 'one second before exp', check: undefined, token: () => access({ exp: seconds + 1 }) },
  { what: 'the second of exp', check: 'exp', token: () => access({ exp: seconds }) },
  { what: 'no exp', check: 'exp', token: () => access({ exp: undefined }) },
  { what: 'an exp that is text', check: 'exp', token: () => access({ exp: `${seconds + 60}` }) },
  { what: 'an exp that is null', check: 'exp', token: () => access({ exp: null }) },
  { what: 'issued a minute ahead', check: undefined, token: () => access({ iat: seconds + 60 }) },
  { what: 'issued further ahead', check: 'iat', token: () => access({ iat: seconds + 61 }) },
  { what: 'no iat', check: 'iat', token: () => access({ iat: undefined }) },
  { what: 'nbf in the future', check: 'nbf', token: () => access({ nbf: seconds + 61 }) },
  { what: 'nbf now', check: undefined, token: () => access({ nbf: seconds }) },

  {
    what: 'bound to this API',
    check: undefined,
    pool: { resources: 'https://a.example' },
    token: () => access({ aud: 'https://a.example' }),
  },
  {
    what: 'bound to several APIs, including this one',
    check: undefined,
    pool: { resources: ['https://a.example'] },
    token: () => access({ aud: ['https://b.example', 'https://a.example'] }),
  },
  {
    what: 'bound to another API',
    check: 'resource',
    pool: { resources: 'https://a.example' },
    token: () => access({ aud: 'https://b.example' }),
  },
  {
    what: 'not bound, with resources configured',
    check: 'resource',
    pool: { resources: 'https://a.example' },
    token: access,
  },
  {
    what: 'bound to an API, without resources',
    check: 'resource',
    token: () => access({ aud: 'https://b.example' }),
  },
  { what: 'bound to its client, without resources', check: undefined, token: () => access({ aud: CLIENT }) },
  {
    what: 'bound to an API, with resources null',
    check: undefined,
    pool: { resources: null },
    token: () => access({ aud: 'https://b.example' }),
  },

  { what: 'one of the scopes', check: undefined, pool: { scopes: { any: ['x', 'notes/read'] } }, token: access },
  { what: 'none of the scopes', check: 'scopes', pool: { scopes: { any: ['notes/write', 'notes'] } }, token: access },
  {
    what: 'all of the scopes',
    check: undefined,
    pool: { scopes: { all: ['notes/read', 'aws.cognito.signin.user.admin'] } },
    token: access,
  },
  {
    what: 'not all of the scopes',
    check: 'scopes',
    pool: { scopes: { any: ['notes/read'], all: ['notes/read', 'notes/write'] } },
    token: access,
  },
  {
    what: 'no scopes',
    check: 'scopes',
    pool: { scopes: { any: ['notes/read'] } },
    token: () => access({ scope: undefined }),
  },
  {
    what: 'a scope claim in an ID token',
    check: 'scopes',
    pool: { tokenUse: 'either', scopes: { any: ['a'] } },
    token: () => id({ scope: 'a' }),
  },
  { what: 'one of the groups', check: undefined, pool: { groups: { any: ['x', 'editors'] } }, token: access },
  { what: 'not all of the groups', check: 'groups', pool: { groups: { all: ['editors', 'owners'] } }, token: access },
  {
    what: 'no groups',
    check: 'groups',
    pool: { groups: { any: ['editors'] } },
    token: () => access({ 'cognito:groups': undefined }),
  },
  {
    what: 'groups that are text',
    check: 'groups',
    pool: { groups: { any: ['edit'] } },
    token: () => access({ 'cognito:groups': 'editors' }),
  },

  { what: 'a claim that is present', check: undefined, pool: { requiredClaims: ['username'] }, token: access },
  { what: 'a claim that is missing', check: 'claims', pool: { requiredClaims: ['custom:tenant'] }, token: access },
  {
    what: 'a claim that is null',
    check: 'claims',
    pool: { requiredClaims: ['username'] },
    token: () => access({ username: null }),
  },
  {
    what: 'a claim that every object inherits',
    check: 'claims',
    pool: { requiredClaims: ['constructor'] },
    token: access,
  },
  {
    what: 'a claim with its value',
    check: undefined,
    pool: { claimValues: { username: ['bob', 'ann'], version: 2 } },
    token: () => access({ version: 2 }),
  },
  {
    what: 'a claim with a similar value',
    check: 'claims',
    pool: { claimValues: { version: 2 } },
    token: () => access({ version: '2' }),
  },
  {
    what: 'a check that returns true',
    check: undefined,
    pool: { check: ({ username }) => username === 'ann' },
    token: access,
  },
  { what: 'a check that returns true later', check: undefined, pool: { check: async () => true }, token: access },
  { what: 'a check that returns false', check: 'custom', pool: { check: () => false }, token: access },
  { what: 'a check that returns false later', check: 'custom', pool: { check: async () => false }, token: access },
  { what: 'a check that returns nothing', check: 'custom', pool: { check: (() => {}) as never }, token: access },
  { what: 'a check that throws', check: 'custom', pool: { check: () => assert.fail('no') }, token: access },
  { what: 'a check that rejects', check: 'custom', pool: { check: async () => assert.fail('no') }, token: access },

  {
    what: 'another algorithm',
    check: 'alg',
    token: () => signToken(key, accessClaims(issuer, clock.now()), { alg: 'RS512', kid: key.kid }),
  },
  {
    what: 'no algorithm',
    check: 'alg',
    token: () => signToken(key, accessClaims(issuer, clock.now()), { kid: key.kid }),
  },
  {
    what: 'extensions that must be understood',
    check: 'structure',
    token: () => signToken(key, accessClaims(issuer, clock.now()), { alg: 'RS256', kid: key.kid, crit: ['exp'] }),
  },
  { what: 'no key id', check: 'kid', token: () => signToken(key, accessClaims(issuer, clock.now()), { alg: 'RS256' }) },
  {
    what: 'an embedded key',
    check: 'signature',
    token: () => signToken(other, accessClaims(issuer, clock.now()), { alg: 'RS256', kid: key.kid, jwk: other.jwk }),
  },
  { what: 'a payload that is a list', check: 'structure', token: () => signToken(key, []) },
  { what: 'a payload that is null', check: 'structure', token: () => signToken(key, null) },
  { what: 'no signature', check: 'structure', token: () => access().replace(/[^.]*$/, '') },
  { what: 'half a signature', check: 'signature', token: () => access().slice(0, -170) },
  { what: 'five parts', check: 'structure', token: () => `${access()}.a.b` },
  { what: 'padding', check: 'structure', token: () => `${access()}==` },
  { what: 'a line break', check: 'structure', token: () => `${access()}\n` },
  { what: 'a token that is too long', check: 'structure', token: () => access({ note: 'x'.repeat(40_000) }) },
  { what: 'an empty text', check: 'structure', token: () => '' },
  { what: 'a value that is not text', check: 'structure', token: () => undefined as never },
]

describe('a token', () => {
  for (const { what, check, pool, token } of cases) {
    it(`${check === undefined ? 'passes' : `is refused for ${check}`}: ${what}`, async () => {
      const verifier = await start(pool)
      if (check === undefined) {
        const claims = await verifier.verify(token())
        assert.equal(claims.sub, '11111111-2222-4333-8444-555555555555')
        // The header is cached now.
        await verifier.verify(token())
      } else {
        await assert.rejects(verifier.verify(token()), refused(check))
      }
    })
  }

  for (const { what, check, pool, token } of cases) {
    it(`has the same result with verifySync and WebCrypto: ${what}`, async () => {
      const web = await start(pool, { signatures: webSignatures as never })
      const here = await start(pool)
      const judged = async (run: () => unknown) => {
        try {
          await run()
          return undefined
        } catch (error) {
          return (error as VerifierError).check
        }
      }
      assert.equal(await judged(() => web.verify(token())), check)
      const sync = await judged(() => here.verifySync(token()))
      assert.equal(sync, what.endsWith('later') || what.endsWith('rejects') ? 'options' : check)
    })
  }

  it('an expired token has its own error, and the tolerance is configurable', async () => {
    await assert.rejects(
      (await start()).verify(access({ exp: seconds - 5 })),
      refused('exp', TokenExpiredError as never),
    )
    const lenient = await start({}, { clockToleranceSeconds: 10, issuedAheadSeconds: 0 })
    await lenient.verify(access({ exp: seconds - 9 }))
    await assert.rejects(lenient.verify(access({ exp: seconds - 10 })), refused('exp'))
    await assert.rejects(lenient.verify(access({ iat: seconds + 1 })), refused('iat'))
  })

  it('requirements of a call add to the pool’s and never relax them', async () => {
    const verifier = await start({ scopes: { all: ['notes/read'] } })
    await verifier.verify(access(), { groups: { any: ['editors'] } })
    await assert.rejects(
      verifier.verify(access(), { groups: { any: ['owners'] } }),
      refused('groups', InsufficientTokenError as never),
    )
    await assert.rejects(verifier.verify(access({ scope: 'other' }), { scopes: { any: ['other'] } }), refused('scopes'))
    await assert.rejects(verifier.verify(access(), { check: () => false }), refused('custom'))
    await assert.rejects(verifier.verify(access(), { tokenUse: 'id' } as never), { check: 'options' })
    await assert.rejects(verifier.verify(access(), { group: { any: ['owners'] } } as never), { check: 'options' })
  })
})

describe('any change of a valid token is refused', () => {
  const alphabet = [
    ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
    '.',
    '=',
    '+',
    '/',
    ' ',
    '\n',
    'é',
    '\0',
  ]
  const token = access()
  let verifiers: Verifier[]
  before(async () => {
    // Without requirements on claims, so that only the signature can refuse a changed claim.
    const fetch = (async () => new Response(JSON.stringify(seed.jwks))) as never
    verifiers = [
      await start({ clientIds: null }, { fetch }),
      await start({ clientIds: null }, { fetch, signatures: webSignatures as never }),
    ]
    for (const verifier of verifiers) await verifier.verify(token)
  })
  const refusedByAll = async (changed: string) => {
    for (const verifier of verifiers) await assert.rejects(verifier.verify(changed), TokenRefusedError)
  }

  it('with one character replaced', async () => {
    const position = fc.nat({ max: token.length - 1 })
    await fc.assert(
      fc.asyncProperty(position, fc.constantFrom(...alphabet), async (at, character) => {
        fc.pre(token[at] !== character)
        await refusedByAll(token.slice(0, at) + character + token.slice(at + 1))
      }),
      { numRuns: 500 },
    )
  })

  it('with the last character replaced, even if it decodes to the same bytes', async () => {
    for (const character of alphabet) if (!token.endsWith(character)) await refusedByAll(token.slice(0, -1) + character)
  })

  it('with characters removed or inserted', async () => {
    const piece = fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: token.length }), fc.nat({ max: 8 }), piece, async (at, length, put) => {
        const changed = token.slice(0, at) + put + token.slice(at + length)
        fc.pre(changed !== token)
        await refusedByAll(changed)
      }),
      { numRuns: 500 },
    )
  })

  it('with claims replaced under the old signature', async () => {
    const [header, , signature] = token.split('.')
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (more) => {
        const payload = { ...accessClaims(issuer, clock.now()), ...more }
        const body = Buffer.from(JSON.stringify(payload)).toString('base64url')
        await refusedByAll(`${header}.${body}.${signature}`)
      }),
    )
  })

  it('and any other text is refused with the right check', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.anything()), async (text) => {
        await refusedByAll(text as string)
      }),
      { numRuns: 500 },
    )
  })
})

describe('errors', () => {
  it('contain neither the token nor the value of a claim', async () => {
    const secret = 'Zq9-very-personal'
    const personal = {
      username: secret,
      email: secret,
      client_id: secret,
      scope: secret,
      'cognito:groups': [secret],
      sub: secret,
    }
    const tokens = [
      access({ ...personal, iss: secret }),
      access(personal),
      access({ ...personal, client_id: CLIENT }),
      access({ ...personal, client_id: CLIENT, scope: 'a' }),
      access({ ...personal, client_id: CLIENT, aud: secret }),
      access({ ...personal, exp: secret }),
      access({ ...personal, token_use: secret }),
      signToken(other, accessClaims(issuer, clock.now(), personal), { alg: 'RS256', kid: key.kid }),
      signToken(key, accessClaims(issuer, clock.now(), personal), { alg: secret, kid: key.kid }),
      `${secret}.${access(personal)}`,
    ]
    const verifier = await start({ scopes: { any: ['a'] }, groups: { any: ['b'] }, requiredClaims: ['c'] })
    for (const token of tokens) {
      const error: unknown = await verifier.verify(token).catch((caught) => caught)
      assert.ok(error instanceof VerifierError)
      const printed = inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error) + String(error.stack)
      assert.ok(!printed.includes(secret), printed)
      for (const part of token.split('.')) assert.ok(!printed.includes(part.slice(0, 24)))
    }
  })

  it('name the required claim, scopes or groups', async () => {
    const claim = await start({ requiredClaims: ['custom:tenant'] })
    await assert.rejects(claim.verify(access()), {
      check: 'claims',
      claim: 'custom:tenant',
      status: 401,
      code: 'invalid_token',
    })
    const scopes = await start({ scopes: { any: ['a', 'b'] } })
    await assert.rejects(scopes.verify(access()), { required: ['a', 'b'], status: 403, code: 'insufficient_scope' })
  })
})

describe('incomplete or contradictory options are refused', () => {
  const pool = { ...addresses, tokenUse: 'access', clientIds: CLIENT }
  const wrong: [string, object][] = [
    ['no pools', { pools: [] }],
    ['no tokenUse', { pools: [{ ...pool, tokenUse: undefined }] }],
    ['an unknown tokenUse', { pools: [{ ...pool, tokenUse: 'refresh' }] }],
    ['no clients', { pools: [{ ...pool, clientIds: undefined }] }],
    ['an empty list of clients', { pools: [{ ...pool, clientIds: [] }] }],
    ['an empty client', { pools: [{ ...pool, clientIds: '' }] }],
    ['no issuers', { pools: [{ ...pool, issuers: [] }] }],
    ['a duplicate issuer', { pools: [pool, pool] }],
    ['no addresses', { pools: [{ ...pool, jwksUris: [] }] }],
    ['an address over plain HTTP', { pools: [{ ...pool, jwksUris: ['http://users.example/jwks.json'] }] }],
    ['an invalid address', { pools: [{ ...pool, jwksUris: ['jwks.json'] }] }],
    ['an address with a password', { pools: [{ ...pool, jwksUris: ['https://a:b@users.example/'] }] }],
    ['a misspelled option of a pool', { pools: [{ ...pool, scope: { any: ['a'] } }] }],
    ['a misspelled option', { pools: [pool], graceSeconds: 10 }],
    ['scopes without any and all', { pools: [{ ...pool, scopes: {} }] }],
    ['an empty list of scopes', { pools: [{ ...pool, scopes: { any: [] } }] }],
    ['scopes in a list', { pools: [{ ...pool, scopes: ['a'] }] }],
    ['scopes of an ID token', { pools: [{ ...pool, tokenUse: 'id', scopes: { any: ['a'] } }] }],
    ['an empty list of groups', { pools: [{ ...pool, groups: { all: [] } }] }],
    ['a check that is not a function', { pools: [{ ...pool, check: true }] }],
    ['a claim without a value', { pools: [{ ...pool, claimValues: { a: undefined } }] }],
    ['a seed without usable keys', { pools: [{ ...pool, seed: { keys: [{ kty: 'EC' }] } }] }],
    ['a seed without its time', { pools: [{ ...pool, seed: { jwks: { keys: [key.jwk] } } }] }],
    ['infinite tolerance', { pools: [pool], clockToleranceSeconds: Number.POSITIVE_INFINITY }],
    ['NaN as a number', { pools: [pool], maxStaleMs: Number.NaN }],
    ['a bound below the age', { pools: [pool], maxAgeMs: 10_000, maxStaleMs: 5_000 }],
  ]
  for (const [what, options] of wrong) {
    it(what, () => assert.throws(() => createVerifier(options as VerifierOptions), { name: 'VerifierOptionsError' }))
  }

  it('allowHttp accepts plain HTTP', () => {
    createVerifier({
      pools: [{ ...pool, jwksUris: ['http://users.example/jwks'] }],
      allowHttp: true,
    } as VerifierOptions)
  })
})

describe('addresses of a pool', () => {
  it('of Amazon Cognito: ORIGINAL of each region, the home region first, and UPDATED', () => {
    assert.deepEqual(addresses.issuers, [
      'https://cognito-idp.us-west-2.amazonaws.com/us-west-2_Ab1Cd2Ef3',
      'https://cognito-idp.us-east-1.amazonaws.com/us-west-2_Ab1Cd2Ef3',
      'https://issuer-cognito-idp.us-west-2.amazonaws.com/us-west-2_Ab1Cd2Ef3',
    ])
    assert.deepEqual(
      addresses.jwksUris,
      addresses.issuers.map((iss) => `${iss}/.well-known/jwks.json`),
    )
    const { issuers } = cognitoPool({ userPoolId: 'cn-north-1_abc' })
    assert.equal(issuers[0], 'https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_abc')
    assert.equal(cognitoPool({ userPoolId: 'us-gov-west-1_abc' }).issuers.length, 2)
  })

  it('of Twinpool: each region, and the shared issuer', () => {
    const { issuers } = selfHostedPool({
      userPoolId: 'us-west-2_Ab1Cd2Ef3',
      endpoints: ['http://127.0.0.1:9401', 'http://127.0.0.1:9402/'],
      sharedIssuerBase: 'http://127.0.0.1:9400',
    })
    assert.deepEqual(
      issuers,
      [9401, 9402, 9400].map((port) => `http://127.0.0.1:${port}/us-west-2_Ab1Cd2Ef3`),
    )
  })

  it('that are invalid are refused', () => {
    for (const userPoolId of ['', 'us-west-2', 'us-west-2_a/b', 'https://evil.example/us-west-2_a', 'us-west-2_a#']) {
      assert.throws(() => cognitoPool({ userPoolId }), { check: 'options' })
    }
    assert.throws(() => cognitoPool({ userPoolId: 'us-west-2_a', regions: ['evil.example/'] }), { check: 'options' })
  })

  it('with options that are unknown are refused, and the error names the option', () => {
    const userPoolId = 'us-west-2_Ab1Cd2Ef3'
    const unknown = (name: string) => ({
      name: 'VerifierOptionsError',
      message: new RegExp(`unknown option '${name}'`),
    })
    assert.throws(() => cognitoPool({ userPoolId, region: 'us-east-1' } as never), unknown('region'))
    assert.throws(() => selfHostedPool({ userPoolId, endpoints: [], issuerBase: 'x' } as never), unknown('issuerBase'))
    const pool = { ...cognitoPool({ userPoolId }), tokenUse: 'access', clientIds: null } as const
    assert.throws(() => createVerifier({ pools: [pool], maxAge: 1 } as never), unknown('maxAge'))
    assert.throws(() => createVerifier({ pools: [{ ...pool, clientId: 'a' }] } as never), unknown('clientId'))
  })
})
