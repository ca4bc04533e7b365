/** Each middleware in its framework, called over HTTP or through the framework's test interface. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { after, describe, it } from 'node:test'
import { accessClaims, CLIENT, makeKey, signToken } from '@twinpool/testing/issuer'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { type BearerOptions, bearerToken } from './bearer.ts'
import { requireToken as forExpress } from './express.ts'
import { requireToken as forFastify } from './fastify.ts'
import { requireToken as forRequest, withToken } from './fetch.ts'
import { type AuthEnv, requireToken as forHono } from './hono.ts'
import { createVerifier, type VerifierError } from './index.ts'

const key = makeKey('key=')
const issuer = 'https://users.example/us-west-2_Ab1Cd2Ef3'
const deadIssuer = 'https://dead.example/us-west-2_Ab1Cd2Ef3'
const pool = { tokenUse: 'access', clientIds: CLIENT } as const
const verifier = createVerifier({
  pools: [
    { ...pool, issuers: [issuer], seed: { jwks: { keys: [key.jwk] }, fetchedAt: Date.now() } },
    { ...pool, issuers: [deadIssuer] },
  ],
  refreshTimer: false,
  fetch: () => Promise.reject(new Error('connection refused')),
})

const token = (more?: object) => signToken(key, accessClaims(issuer, Date.now(), more))
const options: BearerOptions<'access'> = { realm: 'notes', scopes: { all: ['notes/read'] } }

type Ask = (authorization?: string) => Promise<Response>
type App = { ask: Ask; optional: Ask; faulty: Ask }

const fault: BearerOptions<'access'> = {
  onRefused: () => {
    throw new Error('a fault in a logger')
  },
}
const headersOf = (authorization?: string): Record<string, string> => (authorization ? { authorization } : {})

async function expressApp(): Promise<App> {
  const app = express()
  app.set('env', 'test')
  const answer: express.RequestHandler = (request, response) => {
    response.json({ sub: (request as { auth?: { sub: string } }).auth?.sub ?? null })
  }
  app.get('/', forExpress(verifier, options), answer)
  app.get('/optional', forExpress(verifier, { optional: true }), answer)
  app.get('/faulty', forExpress(verifier, fault), answer)
  app.get('/next', forExpress(verifier, { ...options, respond: false }), answer)
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => {
    server.close()
    server.closeAllConnections()
  })
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const at = (path: string) => (authorization?: string) => fetch(base + path, { headers: headersOf(authorization) })

  const refused = await at('/next')('Bearer x')
  assert.equal(refused.status, 401)
  assert.match(refused.headers.get('www-authenticate') ?? '', /error="invalid_token"/)
  return { ask: at('/'), optional: at('/optional'), faulty: at('/faulty') }
}

async function fastifyApp(): Promise<App> {
  const app = fastify()
  app.decorateRequest('auth')
  const answer = (request: unknown) => ({ sub: (request as { auth?: { sub: string } }).auth?.sub ?? null })
  app.get('/', { onRequest: forFastify(verifier, options) }, answer)
  app.get('/optional', { onRequest: forFastify(verifier, { optional: true }) }, answer)
  app.get('/faulty', { onRequest: forFastify(verifier, fault) }, answer)
  after(() => app.close())
  const at = (url: string) => async (authorization?: string) => {
    const { statusCode, headers, body } = await app.inject({ url, headers: headersOf(authorization) })
    return new Response(body, { status: statusCode, headers: headers as Record<string, string> })
  }
  return { ask: at('/'), optional: at('/optional'), faulty: at('/faulty') }
}

async function honoApp(): Promise<App> {
  const app = new Hono<AuthEnv<'access'>>()
  app.onError((_, c) => c.text('fault', 500))
  app.get('/', forHono(verifier, options), (c) => c.json({ sub: c.get('auth').sub }))
  app.get('/optional', forHono(verifier, { optional: true }), (c) => c.json({ sub: c.get('auth')?.sub ?? null }))
  app.get('/faulty', forHono(verifier, fault), (c) => c.json({ sub: c.get('auth').sub }))
  const at = (path: string) => async (authorization?: string) =>
    app.request(path, { headers: headersOf(authorization) })
  return { ask: at('/'), optional: at('/optional'), faulty: at('/faulty') }
}

async function requestApp(): Promise<App> {
  const handler = withToken(verifier, (_: Request, { sub }) => Response.json({ sub }), options as object)
  const optional = forRequest(verifier, { optional: true })
  const faulty = forRequest(verifier, fault)
  const request = (authorization?: string) => new Request('https://api.example', { headers: headersOf(authorization) })
  return {
    ask: (authorization) => handler(request(authorization)),
    optional: async (authorization) => {
      const { claims, response } = await optional(request(authorization))
      return response ?? Response.json({ sub: claims?.sub ?? null })
    },
    faulty: async (authorization) => {
      const outcome = await faulty(request(authorization)).catch(() => ({
        response: new Response('', { status: 500 }),
      }))
      return outcome.response ?? new Response()
    },
  }
}

type Row = { what: string; authorization?: string; status: number; challenge?: string; error?: string }

const invalid = 'Bearer realm="notes", error="invalid_token", error_description='
const rows: Row[] = [
  { what: 'a valid token', authorization: `Bearer ${token()}`, status: 200 },
  { what: 'a valid token with the scheme in lower case', authorization: `bearer  ${token()}`, status: 200 },
  { what: 'no token', status: 401, challenge: 'Bearer realm="notes"', error: 'unauthorized' },
  {
    what: 'another scheme',
    authorization: 'Basic YTpi',
    status: 401,
    challenge: 'Bearer realm="notes"',
    error: 'unauthorized',
  },
  {
    what: 'a token in two parts',
    authorization: `Bearer ${token()} again`,
    status: 400,
    challenge:
      'Bearer realm="notes", error="invalid_request", error_description="The Authorization header must have the form: Bearer <token>"',
    error: 'invalid_request',
  },
  {
    what: 'two tokens in a list',
    authorization: `Bearer ${token()}, Bearer ${token()}`,
    status: 400,
    error: 'invalid_request',
  },
  { what: 'no token after the scheme', authorization: 'Bearer', status: 400, error: 'invalid_request' },
  {
    what: 'a token that is not a JWT',
    authorization: 'Bearer x',
    status: 401,
    challenge: `${invalid}"The token is not valid"`,
    error: 'invalid_token',
  },
  {
    what: 'an expired token',
    authorization: `Bearer ${token({ exp: 1 })}`,
    status: 401,
    challenge: `${invalid}"The token has expired"`,
    error: 'invalid_token',
  },
  {
    what: 'a token of another client, without revealing the reason',
    authorization: `Bearer ${token({ client_id: 'x' })}`,
    status: 401,
    challenge: `${invalid}"The token is not valid"`,
    error: 'invalid_token',
  },
  {
    what: 'a token without the scope',
    authorization: `Bearer ${token({ scope: 'openid' })}`,
    status: 403,
    challenge:
      'Bearer realm="notes", error="insufficient_scope", error_description="The token lacks a required scope", scope="notes/read"',
    error: 'insufficient_scope',
  },
  {
    what: 'a token whose keys cannot be fetched',
    authorization: `Bearer ${token({ iss: deadIssuer })}`,
    status: 503,
    error: 'temporarily_unavailable',
  },
]

const apps = { express: expressApp, fastify: fastifyApp, hono: honoApp, request: requestApp }

for (const [name, start] of Object.entries(apps)) {
  describe(name, async () => {
    const { ask, optional, faulty } = await start()

    for (const { what, authorization, status, challenge, error } of rows) {
      it(`${status}: ${what}`, async () => {
        const response = await ask(authorization)
        const body = (await response.json()) as { sub?: string; error?: string }
        assert.equal(response.status, status)
        if (status === 200) {
          assert.equal(body.sub, '11111111-2222-4333-8444-555555555555')
          return
        }
        assert.equal(body.error, error)
        assert.equal(response.headers.get('cache-control'), 'no-store')
        assert.match(response.headers.get('content-type') ?? '', /^application\/json/)
        if (challenge !== undefined) assert.equal(response.headers.get('www-authenticate'), challenge)
        assert.equal(response.headers.has('www-authenticate'), status !== 503)
        assert.equal(response.headers.get('retry-after'), status === 503 ? '5' : null)
      })
    }

    it('an optional token may be missing, but not invalid', async () => {
      assert.deepEqual(await (await optional()).json(), { sub: null })
      assert.notDeepEqual(await (await optional(`Bearer ${token()}`)).json(), { sub: null })
      assert.equal((await optional('Bearer x')).status, 401)
      assert.equal((await optional('Bearer')).status, 400)
    })

    it('an error of the application is not a refusal', async () => {
      assert.equal((await faulty('Bearer x')).status, 500)
      assert.equal((await faulty(`Bearer ${token()}`)).status, 200)
    })
  })
}

describe('middleware', () => {
  it('reports the failed check to the application', async () => {
    const seen: string[] = []
    const check = forRequest(verifier, { ...options, onRefused: ({ check }: VerifierError) => void seen.push(check) })
    for (const authorization of [undefined, 'Bearer', 'Bearer x', `Bearer ${token({ client_id: 'x' })}`]) {
      await check(new Request('https://api.example', { headers: headersOf(authorization) }))
    }
    assert.deepEqual(seen, ['token', 'request', 'structure', 'client'])
  })

  it('refuses unknown options at creation', () => {
    assert.throws(() => forHono(verifier, { scope: { any: ['a'] } } as never), { check: 'options' })
    assert.throws(() => forHono(verifier, { scope: { any: ['a'] } } as never), {
      message: /unknown option 'scope' of the middleware/,
    })
    assert.throws(() => forHono(verifier, { scopes: { any: [] } }), { check: 'options' })
    assert.throws(() => forHono(verifier, { realm: 'a"b' }), TypeError)
  })

  it('reads a header of any length in linear time', () => {
    const spaces = ' '.repeat(100_000)
    assert.throws(() => bearerToken(`Bearer${spaces}x y`), { check: 'request' })
    assert.throws(() => bearerToken(`Bearer ${'a'.repeat(100_000)}!`), { check: 'request' })
  })
})
