import { createDiffieHellman, createHash, createHmac, getDiffieHellman, hkdfSync, randomBytes } from 'node:crypto'
import {
  type CognitoIdentityProviderClient,
  InitiateAuthCommand,
  RespondToAuthChallengeCommand,
} from '@aws-sdk/client-cognito-identity-provider'

const N = getDiffieHellman('modp15').getPrime()
const modulus = BigInt(`0x${N.toString('hex')}`)
const k = toInteger(sha256(pad(modulus), Buffer.of(2)))

/** The client's side of SRP-6a as the Cognito clients do it, with the answer sent to wherever one likes. */
export async function srpSignIn({
  cognito,
  finishIn = cognito,
  pool,
  client,
  username,
  password,
}: {
  cognito: CognitoIdentityProviderClient
  finishIn?: CognitoIdentityProviderClient
  pool: string
  client: string
  username: string
  password: string
}) {
  const a = toInteger(randomBytes(128))
  const A = power(2n, a)
  const { ChallengeParameters = {}, Session } = await cognito.send(
    new InitiateAuthCommand({
      ClientId: client,
      AuthFlow: 'USER_SRP_AUTH',
      AuthParameters: { USERNAME: username, SRP_A: A.toString(16) },
    }),
  )
  const { SALT = '', SRP_B = '', SECRET_BLOCK = '', USER_ID_FOR_SRP = '' } = ChallengeParameters
  const poolName = pool.slice(pool.indexOf('_') + 1)
  const B = BigInt(`0x${SRP_B}`)
  const u = toInteger(sha256(pad(A), pad(B)))
  const x = toInteger(
    sha256(pad(BigInt(`0x${SALT}`)), sha256(Buffer.from(`${poolName}${USER_ID_FOR_SRP}:${password}`))),
  )
  const base = (((B - k * power(2n, x)) % modulus) + modulus) % modulus
  const S = power(base, a + u * x)
  const key = Buffer.from(hkdfSync('sha256', pad(S), pad(u), 'Caldera Derived Key', 16))
  const timestamp = timestampOf(new Date())
  const signature = createHmac('sha256', key)
    .update(poolName + USER_ID_FOR_SRP)
    .update(Buffer.from(SECRET_BLOCK, 'base64'))
    .update(timestamp)
    .digest('base64')
  return finishIn.send(
    new RespondToAuthChallengeCommand({
      ClientId: client,
      ChallengeName: 'PASSWORD_VERIFIER',
      Session,
      ChallengeResponses: {
        USERNAME: USER_ID_FOR_SRP,
        PASSWORD_CLAIM_SECRET_BLOCK: SECRET_BLOCK,
        PASSWORD_CLAIM_SIGNATURE: signature,
        TIMESTAMP: timestamp,
      },
    }),
  )
}

function power(base: bigint, exponent: bigint): bigint {
  const group = createDiffieHellman(N, Buffer.of(2))
  group.setPrivateKey(bytesOf(exponent))
  return toInteger(group.computeSecret(bytesOf(base)))
}

function bytesOf(number: bigint): Buffer {
  const hex = number.toString(16)
  return Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex')
}

/** Shortest big-endian form with a zero in front when the top bit is set. */
function pad(number: bigint): Buffer {
  const bytes = bytesOf(number)
  return (bytes[0] as number) & 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes
}

function toInteger(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex')}`)
}

function sha256(...parts: Buffer[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
function timestampOf(date: Date): string {
  const clock = date.toISOString().slice(11, 19)
  return `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${date.getUTCDate()} ${clock} UTC ${date.getUTCFullYear()}`
}
