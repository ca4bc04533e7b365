/** A test issuer for the verifier: keys, tokens like those of a user pool, and an HTTP server that publishes the keys. */
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MODULUS_BITS, takeKeyPair } from './key-pairs.ts'

export type IssuerKey = { readonly kid: string; readonly privateKey: KeyObject; readonly jwk: Record<string, unknown> }

export function makeKey(kid: string, modulusLength = MODULUS_BITS): IssuerKey {
  const { publicKey, privateKey } =
    modulusLength === MODULUS_BITS ? takeKeyPair() : generateKeyPairSync('rsa', { modulusLength })
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' } }
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

export function signToken(key: IssuerKey, payload: unknown, header: object = { kid: key.kid, alg: 'RS256' }): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${sign('RSA-SHA256', Buffer.from(input), key.privateKey).toString('base64url')}`
}

export const CLIENT = '1example23456789'

/** Claims of an access token that is valid for an hour. */
export function accessClaims(issuer: string, nowMs: number, more: object = {}) {
  const now = Math.floor(nowMs / 1000)
  return {
    sub: '11111111-2222-4333-8444-555555555555',
    iss: issuer,
    client_id: CLIENT,
    token_use: 'access',
    scope: 'aws.cognito.signin.user.admin notes/read',
    auth_time: now,
    iat: now,
    exp: now + 3600,
    jti: randomUUID(),
    username: 'ann',
    'cognito:groups': ['readers', 'editors'],
    ...more,
  }
}

/** Claims of an ID token that is valid for an hour. */
export function idClaims(issuer: string, nowMs: number, more: object = {}) {
  const { client_id, scope: _, username, ...shared } = accessClaims(issuer, nowMs)
  return { ...shared, token_use: 'id', aud: client_id, 'cognito:username': username, email: 'ann@example.com', ...more }
}

export type JwksServer = Awaited<ReturnType<typeof startJwksServer>>

/** Publishes keys on a local port, or responds as `answer` determines. */
export async function startJwksServer(keys: readonly IssuerKey[]) {
  const publish = (response: ServerResponse) => {
    response
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify({ keys: server.keys.map(({ jwk }) => jwk) }))
  }
  const http = createServer((_, response) => {
    server.hits++
    ;(server.answer ?? publish)(response)
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  const server = {
    keys,
    hits: 0,
    answer: undefined as ((response: ServerResponse) => void) | undefined,
    issuer: `http://127.0.0.1:${port}/us-west-2_Ab1Cd2Ef3`,
    url: `http://127.0.0.1:${port}/us-west-2_Ab1Cd2Ef3/.well-known/jwks.json`,
    /** Closes the port; later requests get no connection. */
    async stop() {
      if (!http.listening) return
      const closed = once(http, 'close')
      http.close()
      http.closeAllConnections()
      await closed
    },
    async start() {
      http.listen(port, '127.0.0.1')
      await once(http, 'listening')
    },
  }
  return server
}
