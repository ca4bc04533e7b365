/** API Gateway authorizers: events as AWS sends them, responses as AWS expects them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { accessClaims, CLIENT, idClaims, makeKey, signToken } from '@twinpool/testing/issuer'
import { createVerifier } from './index.ts'
import { httpAuthorizer, restAuthorizer } from './lambda.ts'

const key = makeKey('key=')
const issuer = 'https://users.example/us-west-2_Ab1Cd2Ef3'
const deadIssuer = 'https://dead.example/us-west-2_Ab1Cd2Ef3'
const pool = { tokenUse: 'either', clientIds: CLIENT } as const
const verifier = createVerifier({
  pools: [
    { ...pool, issuers: [issuer], seed: { jwks: { keys: [key.jwk] }, fetchedAt: Date.now() } },
    { ...pool, issuers: [deadIssuer] },
  ],
  refreshTimer: false,
  fetch: () => Promise.reject(new Error('connection refused')),
})
const access = (more?: object) => signToken(key, accessClaims(issuer, Date.now(), more))

const api = 'arn:aws:execute-api:us-west-2:123456789012:abcdef123'
const methodArn = `${api}/test/GET/notes/7`
const sub = '11111111-2222-4333-8444-555555555555'
const context = {
  sub,
  client_id: CLIENT,
  scope: 'aws.cognito.signin.user.admin notes/read',
  username: 'ann',
  groups: '["readers","editors"]',
}
const policy = (Effect: string, Resource: string, principalId = sub, more: object = context) => ({
  principalId,
  policyDocument: { Version: '2012-10-17', Statement: [{ Action: 'execute-api:Invoke', Effect, Resource }] },
  context: more,
})

const tokenEvent = (authorizationToken: string) => ({ type: 'TOKEN', methodArn, authorizationToken }) as const
const requestEvent = (headers: Record<string, string>) => ({ type: 'REQUEST', methodArn, headers }) as const
const httpEvent = (headers: Record<string, string>) =>
  ({ version: '2.0', type: 'REQUEST', routeArn: `${api}/$default/GET/notes/7`, headers }) as const

describe('an authorizer of a REST API', () => {
  const authorize = restAuthorizer(verifier, { groups: { any: ['editors'] } })

  it('allows the stage for a valid token, type TOKEN, with and without the scheme', async () => {
    for (const text of [`Bearer ${access()}`, access()]) {
      assert.deepEqual(await authorize(tokenEvent(text)), policy('Allow', `${api}/test/*`))
    }
  })

  it('allows the stage for type REQUEST, in any case of the header name', async () => {
    for (const name of ['authorization', 'Authorization', 'AUTHORIZATION']) {
      assert.deepEqual(
        await authorize(requestEvent({ [name]: `Bearer ${access()}` })),
        policy('Allow', `${api}/test/*`),
      )
    }
  })

  it('allows only the called method if so configured', async () => {
    const one = restAuthorizer(verifier, { allow: 'method' })
    assert.deepEqual(await one(tokenEvent(access())), policy('Allow', methodArn))
  })

  it('reads the token with the configured function', async () => {
    const connect = restAuthorizer(verifier, {
      token: (event) => (event as { queryStringParameters?: { token?: string } }).queryStringParameters?.token,
    })
    const event = { type: 'REQUEST', methodArn, queryStringParameters: { token: access() } } as const
    assert.equal((await connect(event)).principalId, sub)
  })

  it('responds with 401 to an invalid token', async () => {
    for (const text of ['', 'Bearer x', `Bearer ${access({ exp: 1 })}`, `Bearer ${access({ client_id: 'x' })}`]) {
      await assert.rejects(authorize(tokenEvent(text)), { message: 'Unauthorized' })
    }
    await assert.rejects(authorize(requestEvent({})), { message: 'Unauthorized' })
    await assert.rejects(authorize({ type: 'REQUEST', methodArn, headers: null }), { message: 'Unauthorized' })
  })

  it('responds with 403 to a valid token without permission', async () => {
    const answer = await authorize(tokenEvent(access({ 'cognito:groups': ['readers'] })))
    assert.deepEqual(answer, policy('Deny', `${api}/test/*`, 'refused', {}))
  })

  it('responds with 500, not 401, when the keys are unavailable', async () => {
    await assert.rejects(authorize(tokenEvent(access({ iss: deadIssuer }))), { name: 'KeysUnavailableError' })
  })

  it('passes on the configured claims', async () => {
    const own = restAuthorizer(verifier, { context: (claims) => ({ tenant: String(claims['custom:tenant']) }) })
    assert.deepEqual((await own(tokenEvent(access({ 'custom:tenant': 'a' })))).context, { tenant: 'a' })
    const id = signToken(key, idClaims(issuer, Date.now(), { 'cognito:groups': undefined }))
    const answer = await restAuthorizer(verifier)(tokenEvent(id))
    assert.deepEqual(answer.context, { sub, client_id: CLIENT, username: 'ann' })
  })

  it('reports the failed check to the application', async () => {
    const seen: string[] = []
    const authorizer = restAuthorizer(verifier, { onRefused: ({ check }) => void seen.push(check) })
    await assert.rejects(authorizer(tokenEvent('')))
    await assert.rejects(authorizer(tokenEvent(access({ exp: 1 }))))
    assert.deepEqual(seen, ['token', 'exp'])
  })

  it('refuses unknown options at creation', () => {
    assert.throws(() => restAuthorizer(verifier, { group: {} } as never), { check: 'options' })
    assert.throws(() => restAuthorizer(verifier, { group: {} } as never), {
      message: /unknown option 'group' of the authorizer/,
    })
  })
})

describe('an authorizer of an HTTP API', () => {
  const simple = httpAuthorizer(verifier, { response: 'simple', scopes: { any: ['notes/read'] } })
  const asPolicy = httpAuthorizer(verifier, { response: 'policy' })

  it('responds in the configured format', async () => {
    const event = httpEvent({ authorization: `Bearer ${access()}` })
    assert.deepEqual(await simple(event), { isAuthorized: true, context })
    assert.deepEqual(await asPolicy(event), policy('Allow', `${api}/$default/*`))
  })

  it('responds with 401, 403 and 500', async () => {
    await assert.rejects(simple(httpEvent({})), { message: 'Unauthorized' })
    const narrow = await simple(httpEvent({ authorization: access({ scope: 'openid' }) }))
    assert.deepEqual(narrow, { isAuthorized: false, context: {} })
    await assert.rejects(simple(httpEvent({ authorization: access({ iss: deadIssuer }) })), { check: 'keys' })
  })

  it('requires a format', () => {
    assert.throws(() => httpAuthorizer(verifier, {} as never), TypeError)
  })
})

describe('an authorizer whose process stops between requests', () => {
  const claims = accessClaims(issuer, Date.now())
  const jwks = { keys: [key.jwk] }
  const start = (fetch: () => Promise<Response>) =>
    createVerifier({ pools: [{ ...pool, issuers: [issuer], seed: jwks }], refreshTimer: false, fetch })

  it('waits for a refresh in progress', async () => {
    const own = start(async () => Response.json(jwks))
    await restAuthorizer(own, { settleMs: 10_000 })(tokenEvent(signToken(key, claims)))
    assert.equal(own.state[0]?.state, 'fresh')
  })

  it('waits only for a limited time', async () => {
    const own = start(() => new Promise(() => {}))
    await restAuthorizer(own, { settleMs: 5 })(tokenEvent(signToken(key, claims)))
    assert.equal(own.state[0]?.state, 'stale')
  })
})
