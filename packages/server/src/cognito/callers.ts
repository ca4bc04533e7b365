import type { Context } from '../context.ts'
import type { Client, Pool } from '../directory/pool.ts'
import { findUserBySub, type User, type UserPlace } from '../directory/user.ts'
import { CognitoError } from '../errors.ts'
import { checkAccessToken } from '../identity/sessions/access.ts'
import { invalidSession, openSession, poolOfSession, type Session } from '../identity/sign-in/session.ts'
import { readAccessToken } from '../tokens/access.ts'
import type { AccessTokenClaims } from '../tokens/claims.ts'

/** Who may call, and what of the call is known before the handler runs. */
export type Caller =
  | 'account' // signed, about the account
  | 'pool' // signed, about the pool in UserPoolId
  | 'client' // unsigned, by the app client in ClientId
  | 'token' // unsigned, with an access token
  | 'session' // unsigned, with an access token or the Session of a challenge
  | 'feedback' // unsigned, with the token of a notification mail

/** What every handler knows of the call. */
export interface Call {
  requestId: string
  /** Address of the caller, as far as the region can tell. */
  address: string
  userAgent: string
}

/** Signed, about the account and this region, not about one pool. */
export type AccountCall = Call

/** About one pool that is here: with the cipher of its rows. */
export interface PoolCall extends Call, UserPlace {
  pool: Pool
}

/** Unsigned, by an app client. The client's secret is checked where the operation carries its proof. */
export interface ClientCall extends PoolCall {
  client: Client
}

/** Unsigned, with an access token that is good: signature, issuer, life, revocation, scope, and a user who is enabled. */
export interface TokenCall extends PoolCall {
  claims: AccessTokenClaims
  user: User
}

/** Unsigned, in the middle of a sign-in: with the session of a challenge, which tells what has been proved so far. */
export interface SessionCall extends ClientCall {
  user: User
  session: Session
}

/** Reads who calls, and about which pool, up to the point where the gate can decide. */
export interface Resolved {
  pool: Pool | undefined
  /** The rest of what the handler is given; runs after the gate. Throws in the protocol's terms. */
  complete(): Promise<Partial<TokenCall & SessionCall>>
}

type Reader = (context: Context, input: Record<string, unknown>) => Promise<Resolved>

const placeOf = async ({ keys }: Pick<Context, 'keys'>, pool: Pool): Promise<UserPlace> => ({
  pool,
  cipher: await keys.get(pool.id),
})

const inPool: Reader = async (context, input) => {
  const pool = await context.pools.get(given(input, 'UserPoolId'))
  return { pool, complete: () => placeOf(context, pool) }
}

const withToken: Reader = async (context, input) => {
  const { claims, pool: id } = await readAccessToken(context, given(input, 'AccessToken'))
  const pool = await context.pools.get(id)
  return {
    pool,
    complete: async () => {
      const place = await placeOf(context, pool)
      return { ...place, claims, user: await checkAccessToken(context, place, claims) }
    },
  }
}

const withSession = async (context: Context, text: string): Promise<Resolved> => {
  const id = poolOfSession(text)
  const pool = id === undefined ? undefined : await context.pools.find(id)
  if (!pool) throw invalidSession()
  return {
    pool,
    complete: async () => {
      const place = await placeOf(context, pool)
      const session = await openSession(context, place, text)
      // Whoever was only asked for a password has proved nothing yet.
      if (session.challenge === 'PASSWORD_VERIFIER') throw invalidSession()
      const [client, user] = await Promise.all([
        context.pools.getClient(session.client),
        findUserBySub(context.store, place, session.sub),
      ])
      if (!user) throw invalidSession()
      return { ...place, client, user, session }
    },
  }
}

/** The model calls some of these optional (GetDevice, UpdateManagedLoginBranding), but says of no other way to know whose call it is. */
function given(input: Record<string, unknown>, member: 'UserPoolId' | 'ClientId' | 'AccessToken'): string {
  const value = input[member]
  if (typeof value === 'string') return value
  const path = member.charAt(0).toLowerCase() + member.slice(1)
  throw new CognitoError(
    'InvalidParameterException',
    `1 validation error detected: Value null at '${path}' failed to satisfy constraint: Member must not be null`,
  )
}

export const readers: Record<Caller, Reader> = {
  account: async () => ({ pool: undefined, complete: async () => ({}) }),
  pool: inPool,
  feedback: inPool,
  client: async (context, input) => {
    const client = await context.pools.getClient(given(input, 'ClientId'))
    const pool = await context.pools.get(client.pool)
    return { pool, complete: async () => ({ ...(await placeOf(context, pool)), client }) }
  },
  token: withToken,
  session: async (context, input) => {
    if (typeof input.AccessToken === 'string') return withToken(context, input)
    if (typeof input.Session === 'string') return withSession(context, input.Session)
    throw new CognitoError('InvalidParameterException', 'Either AccessToken or Session is required.')
  },
}
