import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import type { Client } from '../../directory/client.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { checkSecretHash } from './secret-hash.ts'

/** A cipher without encryption: the sealed value is the text itself, and opens for its own client only. */
const cipher = {
  open: (purpose: string, sealed: Buffer, binding: string) => {
    assert.deepEqual([purpose, binding], ['row', 'client/client123'])
    return sealed
  },
} as unknown as OpenPool['cipher']

const clientWith = (...secrets: string[]): Client =>
  ({
    id: 'client123',
    document: { secrets: secrets.map((secret) => ({ sealed: Buffer.from(secret).toString('base64') })) },
  }) as unknown as Client

// Made with OpenSSL: printf %s aliceclient123 | openssl dgst -sha256 -hmac secretsecretsecret -binary | base64
const VECTOR = 'v6HdqURUlXF/eEkm7t2sZRTWGVrYu6vR92LiK9bHgKY='

test('the hash of either secret is accepted', () => {
  checkSecretHash({ cipher }, clientWith('secretsecretsecret'), 'alice', VECTOR)
  checkSecretHash({ cipher }, clientWith('secretsecretsecret', 'another'), 'alice', VECTOR)
  checkSecretHash({ cipher }, clientWith('another', 'secretsecretsecret'), 'alice', VECTOR)
})

test('a client without a secret needs no hash', () => {
  checkSecretHash({ cipher }, clientWith(), 'alice', undefined)
})

for (const [what, client, username, hash, message] of [
  [
    'no hash',
    clientWith('s'),
    'alice',
    undefined,
    'Client client123 is configured with secret but SECRET_HASH was not received',
  ],
  [
    'a hash for a client without a secret',
    clientWith(),
    'alice',
    VECTOR,
    'Unable to verify secret hash for client client123',
  ],
  [
    'the hash of another user',
    clientWith('secretsecretsecret'),
    'bob',
    VECTOR,
    'SecretHash does not match for the client: client123',
  ],
  [
    'the hash of another secret',
    clientWith('other'),
    'alice',
    VECTOR,
    'SecretHash does not match for the client: client123',
  ],
  [
    'a hash of another length',
    clientWith('secretsecretsecret'),
    'alice',
    VECTOR.slice(0, 8),
    'SecretHash does not match for the client: client123',
  ],
  [
    'hex in place of base64',
    clientWith('s'),
    'alice',
    createHmac('sha256', 's').update('aliceclient123').digest('hex'),
    'SecretHash does not match for the client: client123',
  ],
] as const) {
  test(`${what} is refused`, () => {
    assert.throws(() => checkSecretHash({ cipher }, client, username, hash), {
      name: 'NotAuthorizedException',
      message,
    })
  })
}
