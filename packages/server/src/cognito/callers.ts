import type { Call } from '../aws/face.ts'
import type { Context } from '../context.ts'
import type { Client } from '../directory/client.ts'
import type { OpenPool } from '../directory/open-pool.ts'
import { openPoolOf, type Pool } from '../directory/pool.ts'
import { findUserBySub, getSub, type User } from '../directory/user.ts'
import { invalidParameter } from '../errors.ts'
import { checkAccessToken } from '../identity/sessions/access.ts'
import { checkUsable, invalidSession, openSession, poolOfSession, type Session } from '../identity/sign-in/session.ts'
import { verifyAccessToken } from '../tokens/access.ts'
import type { AccessTokenClaims } from '../tokens/claims.ts'

/** How an operation identifies its caller, and what the face looks up before the handler runs. */
export type Caller =
  | 'account' // signed, about the account
  | 'pool' // signed, about the pool in UserPoolId
  | 'user' // signed, about the user in Username
  | 'client' // unsigned, by the app client in ClientId
  | 'token' // unsigned, with an access token
  | 'session' // unsigned, with an access token or the Session of a challenge
  | 'feedback' // unsigned, with the token of a notification mail

/** A signed call about the account and this region, not about one pool. */
export type AccountCall = Call

/** A call about one pool that exists in this region, with the cipher of the pool's rows. */
export interface PoolCall extends Call, OpenPool {
  pool: Pool
}

/** A signed call about one user of the pool. `Username` may be the username, the sub or an alias; `sub` is the user it names. */
export interface UserCall extends PoolCall {
  sub: string
}

/** An unsigned call by an app client. The handler checks the secret hash, because operations carry it in different members. */
export interface ClientCall extends PoolCall {
  client: Client
}

/**
 * An unsigned call with a valid access token: signature, issuer, lifetime, revocation and scope are checked, the client exists, and the
 * state of the user allows the use of tokens.
 */
export interface TokenCall extends ClientCall {
  claims: AccessTokenClaims
  user: User
}

/** An unsigned call during a sign-in, with the session of a challenge; the session records which factors the user has proved. */
export interface SessionCall extends ClientCall {
  user: User
  session: Session
}

/** A caller as far as the gate needs it: the pool is known, the rest is not read yet. */
export interface ResolvedCaller {
  pool: Pool | undefined
  /** Reads the other members of the handler's call; runs after the gate. Throws CognitoError. */
  complete(): Promise<Partial<UserCall & TokenCall & SessionCall>>
}

export type Resolver = (context: Context, input: Record<string, unknown>) => Promise<ResolvedCaller>

const resolvePool: Resolver = async (context, input) => {
  const pool = await context.pools.get(required(input, 'UserPoolId'))
  return { pool, complete: () => openPoolOf(context, pool) }
}

const resolveUser: Resolver = async (context, input) => {
  const pool = await context.pools.get(required(input, 'UserPoolId'))
  return {
    pool,
    complete: async () => {
      const opened = await openPoolOf(context, pool)
      return { ...opened, sub: await getSub(context.store, opened, required(input, 'Username')) }
    },
  }
}

const resolveToken: Resolver = async (context, input) => {
  const { claims, pool: id } = await verifyAccessToken(context, required(input, 'AccessToken'))
  const pool = await context.pools.get(id)
  return {
    pool,
    complete: async () => {
      const opened = await openPoolOf(context, pool)
      const client = await context.pools.getClientOf(pool, claims.client_id)
      return { ...opened, client, claims, user: await checkAccessToken(context, opened, claims) }
    },
  }
}

const resolveSession = async (context: Context, text: string): Promise<ResolvedCaller> => {
  const id = poolOfSession(text)
  const pool = id === undefined ? undefined : await context.pools.find(id)
  if (!pool) throw invalidSession()
  return {
    pool,
    complete: async () => {
      const opened = await openPoolOf(context, pool)
      const session = openSession(opened, text)
      // A session that only asks for a password does not prove any factor yet.
      if (session.challenge === 'PASSWORD_VERIFIER') throw invalidSession()
      const [, client, user] = await Promise.all([
        checkUsable(context, opened, session),
        context.pools.getClient(session.client),
        findUserBySub(context.store, opened, session.sub),
      ])
      if (!user) throw invalidSession()
      return { ...opened, client, user, session }
    },
  }
}

/**
 * Returns a member that identifies the caller. The service model marks some of them optional (GetDevice,
 * UpdateManagedLoginBranding) but documents no other way to identify the caller. Throws InvalidParameterException.
 */
function required(
  input: Record<string, unknown>,
  member: 'UserPoolId' | 'Username' | 'ClientId' | 'AccessToken',
): string {
  const value = input[member]
  if (typeof value === 'string') return value
  const path = member.charAt(0).toLowerCase() + member.slice(1)
  throw invalidParameter(
    `1 validation error detected: Value null at '${path}' failed to satisfy constraint: Member must not be null`,
  )
}

export const resolvers: Record<Caller, Resolver> = {
  account: async () => ({ pool: undefined, complete: async () => ({}) }),
  pool: resolvePool,
  user: resolveUser,
  feedback: resolvePool,
  client: async (context, input) => {
    const client = await context.pools.getClient(required(input, 'ClientId'))
    const pool = await context.pools.get(client.pool)
    return { pool, complete: async () => ({ ...(await openPoolOf(context, pool)), client }) }
  },
  token: resolveToken,
  session: async (context, input) => {
    if (typeof input.AccessToken === 'string') return resolveToken(context, input)
    if (typeof input.Session === 'string') return resolveSession(context, input.Session)
    throw invalidParameter('Either AccessToken or Session is required.')
  },
}
