import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { it } from 'node:test'
import { generateSigningKeyPair } from './signing-keys.ts'

it('a pool without an injected source of keys gets new RSA pairs of 2048 bits', async () => {
  const pairs = await Promise.all([generateSigningKeyPair(), generateSigningKeyPair()])
  for (const { publicKey, privateKey } of pairs) {
    assert.equal(privateKey.asymmetricKeyType, 'rsa')
    assert.equal(privateKey.asymmetricKeyDetails?.modulusLength, 2048)
    assert.ok(publicKey.equals(createPublicKey(privateKey)))
  }
  assert.ok(!pairs[0].publicKey.equals(pairs[1].publicKey))
})
