import { createDiffieHellmanGroup, createHash, createHmac, DiffieHellman, hkdfSync } from 'node:crypto'
import type { Work } from '../load.ts'
import { nameOf, PASSWORD } from '../people.ts'
import { callOf } from '../signed.ts'
import type { Service } from '../stage.ts'
import { type Case, compareAll } from './case.ts'

const PEOPLE = 100

export const srp: Case = {
  name: 'srp',
  title: 'USER_SRP_AUTH and PASSWORD_VERIFIER: a sign-in by SRP, two calls',
  run: async (stage) => {
    const ours = await stage.twinpool({ users: PEOPLE, passwords: PEOPLE })
    const raw = await stage.raw()
    const rawWork: Work = async (send) => {
      await send({ path: '/srp-begin', headers: {}, body: '{}' })
      // The computation that our client has to do between the two calls.
      power(toBuffer(N - 2n), 1n << 511n)
      await send({ path: '/srp-end', headers: {}, body: '{}' })
    }
    const subjects = [
      { name: 'twinpool', ...ours, work: bySrp(ours) },
      { name: 'raw', ...raw, work: rawWork },
    ]
    return compareAll(stage, subjects, {
      notes: [
        'Sign-ins per second; a latency covers both calls and the computation of the client.',
        'raw: a bare server that computes three 3072-bit modular exponentiations and two RS256 signatures, in two calls. cognito-local has no SRP; oidc-provider has no passwords.',
      ],
    })
  },
}

// The client's side of SRP-6a, with constant parts computed once: a is 1, so A is 2, which every server must accept.
const group = createDiffieHellmanGroup('modp15') as DiffieHellman
group.setPrivateKey = DiffieHellman.prototype.setPrivateKey
const N = toInteger(group.getPrime())
const A = 2n
const k = toInteger(sha256(padded(N), padded(2n)))

function bySrp({ pool, client }: Service): Work {
  const poolName = pool.slice(pool.indexOf('_') + 1)
  const known = new Map<string, { x: bigint; kv: bigint }>()
  return async (send, turn) => {
    const USERNAME = nameOf(turn % PEOPLE)
    const begun = await send(
      callOf('InitiateAuth', {
        AuthFlow: 'USER_SRP_AUTH',
        ClientId: client,
        AuthParameters: { USERNAME, SRP_A: A.toString(16) },
      }),
    )
    const { SALT, SRP_B, SECRET_BLOCK, USER_ID_FOR_SRP } = JSON.parse(begun).ChallengeParameters
    let secret = known.get(USERNAME)
    if (!secret) {
      const inner = sha256(Buffer.from(`${poolName}${USER_ID_FOR_SRP}:${PASSWORD}`))
      const x = toInteger(sha256(padded(BigInt(`0x${SALT}`)), inner))
      secret = { x, kv: k * power(Buffer.of(2), x) }
      known.set(USERNAME, secret)
    }
    const B = BigInt(`0x${SRP_B}`)
    const u = toInteger(sha256(padded(A), padded(B)))
    const S = power(toBuffer((((B - secret.kv) % N) + N) % N), 1n + u * secret.x)
    const key = Buffer.from(hkdfSync('sha256', padded(S), padded(u), 'Caldera Derived Key', 16))
    const [weekday = '', day, month, year, time] = new Date().toUTCString().split(' ')
    const TIMESTAMP = `${weekday.slice(0, 3)} ${month} ${Number(day)} ${time} UTC ${year}`
    const signature = createHmac('sha256', key)
      .update(poolName + USER_ID_FOR_SRP)
      .update(Buffer.from(SECRET_BLOCK, 'base64'))
      .update(TIMESTAMP)
      .digest('base64')
    await send(
      callOf('RespondToAuthChallenge', {
        ClientId: client,
        ChallengeName: 'PASSWORD_VERIFIER',
        ChallengeResponses: {
          USERNAME: USER_ID_FOR_SRP,
          PASSWORD_CLAIM_SECRET_BLOCK: SECRET_BLOCK,
          PASSWORD_CLAIM_SIGNATURE: signature,
          TIMESTAMP,
        },
      }),
    )
  }
}

function power(base: Buffer, exponent: bigint): bigint {
  group.setPrivateKey(toBuffer(exponent))
  return toInteger(group.computeSecret(base))
}

function toInteger(value: Buffer): bigint {
  return BigInt(`0x${value.toString('hex')}`)
}

function toBuffer(value: bigint): Buffer {
  const hex = value.toString(16)
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
}

/** The encoding of a non-negative number by Java's BigInteger. */
function padded(value: bigint): Buffer {
  const bytes = toBuffer(value)
  return (bytes[0] as number) < 0x80 ? bytes : Buffer.concat([Buffer.of(0), bytes])
}

function sha256(...parts: Buffer[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
