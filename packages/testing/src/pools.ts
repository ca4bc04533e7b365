import { createDiffieHellmanGroup, createHash, createHmac, DiffieHellman, hkdfSync, randomBytes } from 'node:crypto'
import {
  AdminCreateUserCommand,
  AdminSetUserPasswordCommand,
  type AttributeType,
  CreateUserPoolClientCommand,
  type CreateUserPoolClientCommandInput,
  CreateUserPoolCommand,
  type CreateUserPoolCommandInput,
} from '@aws-sdk/client-cognito-identity-provider'
import type { RunningRegion } from './regions.ts'

export const PASSWORD = 'Correct-Horse-7'

/** Makes a pool. */
export async function createPool(
  { cognito }: Pick<RunningRegion, 'cognito'>,
  settings: Partial<CreateUserPoolCommandInput> = {},
): Promise<string> {
  const { UserPool } = await cognito.send(new CreateUserPoolCommand({ PoolName: 'a pool', ...settings }))
  return UserPool?.Id as string
}

export interface TestClient {
  pool: string
  id: string
  secret: string | undefined
}

/** Makes an app client that may use every flow, unless the settings say otherwise. */
export async function createClient(
  { cognito }: Pick<RunningRegion, 'cognito'>,
  pool: string,
  settings: Partial<CreateUserPoolClientCommandInput> = {},
): Promise<TestClient> {
  const { UserPoolClient } = await cognito.send(
    new CreateUserPoolClientCommand({
      UserPoolId: pool,
      ClientName: 'a client',
      ExplicitAuthFlows: [
        'ALLOW_USER_SRP_AUTH',
        'ALLOW_USER_PASSWORD_AUTH',
        'ALLOW_ADMIN_USER_PASSWORD_AUTH',
        'ALLOW_REFRESH_TOKEN_AUTH',
      ],
      ...settings,
    }),
  )
  return { pool, id: UserPoolClient?.ClientId as string, secret: UserPoolClient?.ClientSecret }
}

/** Makes a user with a lasting password, or with a temporary one. Returns the sub. */
export async function createUser(
  { cognito }: Pick<RunningRegion, 'cognito'>,
  pool: string,
  {
    username,
    password = PASSWORD,
    temporary = false,
    attributes = [],
  }: { username: string; password?: string; temporary?: boolean; attributes?: AttributeType[] },
): Promise<string> {
  const { User } = await cognito.send(
    new AdminCreateUserCommand({
      UserPoolId: pool,
      Username: username,
      TemporaryPassword: password,
      MessageAction: 'SUPPRESS',
      UserAttributes: attributes,
    }),
  )
  if (!temporary) {
    await cognito.send(
      new AdminSetUserPasswordCommand({ UserPoolId: pool, Username: username, Password: password, Permanent: true }),
    )
  }
  return User?.Attributes?.find(({ Name }) => Name === 'sub')?.Value as string
}

/** The proof of a client's secret. */
export const secretHash = ({ id, secret = '' }: TestClient, username: string): string =>
  createHmac('sha256', secret)
    .update(username + id)
    .digest('base64')

/** The client's side of SRP-6a, written from the specification and with nothing of the server's. */
export class SrpClient {
  readonly A: string
  readonly #a: bigint
  readonly #poolName: string

  constructor(pool: string) {
    this.#poolName = pool.slice(pool.indexOf('_') + 1)
    this.#a = BigInt(`0x${randomBytes(64).toString('hex')}`)
    this.A = power(2n, this.#a).toString(16)
  }

  /** The responses to PASSWORD_VERIFIER. */
  answer(parameters: Record<string, string>, password: string, now = new Date()): Record<string, string> {
    const { SALT = '', SRP_B = '', SECRET_BLOCK = '', USER_ID_FOR_SRP = '' } = parameters
    const B = BigInt(`0x${SRP_B}`)
    const x = BigInt(
      `0x${sha256(padded(BigInt(`0x${SALT}`)), sha256(`${this.#poolName}${USER_ID_FOR_SRP}:${password}`)).toString('hex')}`,
    )
    const u = BigInt(`0x${sha256(padded(BigInt(`0x${this.A}`)), padded(B)).toString('hex')}`)
    const k = BigInt(`0x${sha256(padded(N), padded(2n)).toString('hex')}`)
    const base = (((B - k * power(2n, x)) % N) + N) % N
    const S = power(base, this.#a + u * x)
    const key = Buffer.from(hkdfSync('sha256', padded(S), padded(u), 'Caldera Derived Key', 16))
    const timestamp = timestampOf(now)
    const signature = createHmac('sha256', key)
      .update(this.#poolName + USER_ID_FOR_SRP)
      .update(Buffer.from(SECRET_BLOCK, 'base64'))
      .update(timestamp)
      .digest('base64')
    return {
      USERNAME: USER_ID_FOR_SRP,
      PASSWORD_CLAIM_SECRET_BLOCK: SECRET_BLOCK,
      PASSWORD_CLAIM_SIGNATURE: signature,
      TIMESTAMP: timestamp,
    }
  }
}

/** `Sat Jun 6 04:05:09 UTC 2026`: English, and the day without a zero in front. */
export function timestampOf(moment: Date): string {
  const [weekday = '', , month = '', , clock = ''] = moment.toUTCString().split(' ')
  return `${weekday.slice(0, 3)} ${month} ${moment.getUTCDate()} ${clock} UTC ${moment.getUTCFullYear()}`
}

// RFC 3526 §4.
const group = createDiffieHellmanGroup('modp15') as DiffieHellman
group.setPrivateKey = DiffieHellman.prototype.setPrivateKey
const N = BigInt(`0x${group.getPrime('hex')}`)

/** base^exponent mod N. Written with BigInt, it would be the largest part of the CPU time of a sign-in. */
function power(base: bigint, exponent: bigint): bigint {
  group.setPrivateKey(bytesOf(exponent))
  return BigInt(`0x${group.computeSecret(bytesOf(base)).toString('hex')}`)
}

function bytesOf(value: bigint): Buffer {
  const hex = value.toString(16)
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
}

/** As Java's BigInteger writes a number that is not negative. */
function padded(value: bigint): Buffer {
  const bytes = bytesOf(value)
  return (bytes[0] as number) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes
}

function sha256(...parts: (Buffer | string)[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
