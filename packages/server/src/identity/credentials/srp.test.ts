import assert from 'node:assert/strict'
import { createDiffieHellmanGroup, createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { beginSrp, claimSignature, parsePublicValue, sessionKeyOf, toHex, verifierOf } from './srp.ts'

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
const fingerprint = (value: Buffer): string => sha256(toHex(value)).toString('hex')

const N = BigInt(`0x${createDiffieHellmanGroup('modp15').getPrime('hex')}`)
const power = (base: bigint, exponent: bigint): bigint => {
  let result = 1n
  for (let [b, e] = [base % N, exponent]; e > 0n; e >>= 1n, b = (b * b) % N) if (e & 1n) result = (result * b) % N
  return result
}

describe('SRP-6a', () => {
  const identity = { group: 'EXAMPLE12', name: '7f3c1d52-0000-4000-8000-0123456789ab' }
  const salt = Buffer.from('63479ad69a090b258277ec8fba6f9941', 'hex')
  const verifier = verifierOf(identity, 'Passw0rd!x', salt)
  const A = parsePublicValue(power(2n, BigInt(`0x${sha256('a').toString('hex')}`)).toString(16)) as Buffer
  const { B, state } = beginSrp(verifier, A, () => sha256('b'))

  it('uses the prime of the clients', () => {
    assert.equal(
      sha256(N.toString(16)).toString('hex'),
      '30a45e27c3a0a6f934cd558e88e937625082b19bd435f74f04d7500e5032d88e',
    )
  })

  it('matches the test vector in every intermediate value', () => {
    assert.equal(fingerprint(verifier), '7ed98a84694cf83c915285d4e1466881cb1d8240bd8c9610f12a38e36b6ac103')
    assert.equal(fingerprint(A), 'cc9768b3ed89f4896aa3622586e9c6b379cf56c2bc23a3c22122b5fb6a5f1559')
    assert.equal(fingerprint(B), '0d815591cbfa7f4eee6a45aab65fab16a83c3778346e8341030df89851b0bc2f')
    assert.equal(state.u.toString('hex'), '3722f6a481e6b43e362fdc576beae9b94c97c9ff96f24ff52bf317072c392489')
    assert.equal(sessionKeyOf(verifier, state).toString('hex'), '0a41b4185257f5d7dc1ee1ac48693f75')
  })

  it('matches the test vector in the signature', () => {
    const signature = claimSignature(sessionKeyOf(verifier, state), identity, {
      secretBlock: Buffer.from('MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=', 'base64'),
      timestamp: 'Sat Jun 6 04:05:09 UTC 2026',
    })
    assert.equal(signature.toString('base64'), 'CuURnT171xkDTDOwCB5D2lNZLC8PF0/dVpHcafv8aCI=')
  })

  it('treats a salt with leading zeros as a number, as clients do', () => {
    const short = Buffer.from('9a090b258277ec8fba6f9941', 'hex')
    assert.deepEqual(
      verifierOf(identity, 'Passw0rd!x', Buffer.concat([Buffer.alloc(4), short])),
      verifierOf(identity, 'Passw0rd!x', short),
    )
  })

  it('refuses a public value that would fix the key, and a text that is not a number', () => {
    for (const value of [0n, 1n, N - 1n, N, N + 1n, 2n * N]) {
      assert.equal(parsePublicValue(value.toString(16)), undefined)
    }
    for (const text of ['', 'xyz', '0x12', '-12', 'f'.repeat(2_000)]) assert.equal(parsePublicValue(text), undefined)
  })
})
