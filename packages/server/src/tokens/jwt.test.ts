import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { takeKeyPair } from '@twinpool/testing/key-pairs'
import { createJwtSigner, isSignedBy, parseJwt } from './jwt.ts'

const keys = [takeKeyPair(), takeKeyPair()]
const signer = (at: number) => ({ kid: `key-${at}`, key: keys[at]?.privateKey as never })
const { signPair } = createJwtSigner()
const pair = (turn: number) =>
  signPair({ signer: signer(0), claims: { turn, use: 'a' } }, { signer: signer(1), claims: { turn, use: 'b' } })

function check(tokens: readonly string[], turn: number): void {
  assert.equal(tokens.length, 2)
  for (const [at, use] of ['a', 'b'].entries()) {
    const jwt = parseJwt(tokens[at] as string)
    assert.deepEqual({ kid: jwt?.kid, ...jwt?.claims }, { kid: `key-${at}`, turn, use })
    assert.ok(jwt && isSignedBy(keys[at]?.publicKey as never, jwt))
  }
}

describe('two tokens that are signed at the same time', () => {
  it('verify, each under its own key, pair after pair', async () => {
    for (let turn = 0; turn < 20; turn += 1) check(await pair(turn), turn)
  })

  it('verify with many concurrent pairs', async () => {
    const pairs = await Promise.all(Array.from({ length: 20 }, (_, turn) => pair(turn)))
    for (const [turn, tokens] of pairs.entries()) check(tokens, turn)
  })
})

describe('a JWT', () => {
  const [head, claims] = [{ kid: 'a', alg: 'RS256' }, { sub: 'ada' }].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )

  it('has three parts, none of them empty', () => {
    assert.equal(parseJwt(`${head}.${claims}.sig`)?.kid, 'a')
    for (const text of ['', '.', '..', '...', head, `${head}.`, `${head}.${claims}`, `${head}.${claims}.`]) {
      assert.equal(parseJwt(text as string), undefined)
    }
    for (const text of [`.${claims}.sig`, `${head}..sig`, `${head}.${claims}.sig.`, `${head}.${claims}.s.ig`]) {
      assert.equal(parseJwt(text), undefined)
    }
  })

  it('needs a header with alg RS256 and a kid', () => {
    for (const header of [{ kid: 'a', alg: 'none' }, { kid: 'a', alg: 'HS256' }, { alg: 'RS256' }, [], 'RS256', null]) {
      const text = Buffer.from(JSON.stringify(header)).toString('base64url')
      assert.equal(parseJwt(`${text}.${claims}.sig`), undefined)
    }
  })
})
