import type { Context } from '../context.ts'
import type { Client } from '../directory/client.ts'
import type { OpenPool } from '../directory/open-pool.ts'
import type { Pool } from '../directory/pool.ts'
import { openPool } from '../directory/pool.ts'
import { findUserBySub, getSub, type User } from '../directory/user.ts'
import { invalidParameter } from '../errors.ts'
import { checkAccessToken } from '../identity/sessions/access.ts'
import { checkUsable, invalidSession, openSession, poolOfSession, type Session } from '../identity/sign-in/session.ts'
import { verifyAccessToken } from '../tokens/access.ts'
import type { AccessTokenClaims } from '../tokens/claims.ts'

/** Who may call, and what of the call is known before the handler runs. */
export type Caller =
  | 'account' // signed, about the account
  | 'pool' // signed, about the pool in UserPoolId
  | 'user' // signed, about the user in Username
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
export interface PoolCall extends Call, OpenPool {
  pool: Pool
}

/** About one user of the pool, found by what the caller calls the user. */
export interface UserCall extends PoolCall {
  sub: string
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
  complete(): Promise<Partial<UserCall & TokenCall & SessionCall>>
}

type Reader = (context: Context, input: Record<string, unknown>) => Promise<Resolved>

const openPoolOf = async ({ keys }: Pick<Context, 'keys'>, pool: Pool): Promise<OpenPool> =>
  openPool(pool, await keys.get(pool.id))

const inPool: Reader = async (context, input) => {
  const pool = await context.pools.get(given(input, 'UserPoolId'))
  return { pool, complete: () => openPoolOf(context, pool) }
}

const aboutUser: Reader = async (context, input) => {
  const pool = await context.pools.get(given(input, 'UserPoolId'))
  return {
    pool,
    complete: async () => {
      const opened = await openPoolOf(context, pool)
      return { ...opened, sub: await getSub(context.store, opened, given(input, 'Username')) }
    },
  }
}

const withToken: Reader = async (context, input) => {
  const { claims, pool: id } = await verifyAccessToken(context, given(input, 'AccessToken'))
  const pool = await context.pools.get(id)
  return {
    pool,
    complete: async () => {
      const opened = await openPoolOf(context, pool)
      return { ...opened, claims, user: await checkAccessToken(context, opened, claims) }
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
      const opened = await openPoolOf(context, pool)
      const session = openSession(opened, text)
      // A session that only asks for a password proves nothing yet.
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

/** The model calls some of these optional (GetDevice, UpdateManagedLoginBranding), but says of no other way to know whose call it is. */
function given(input: Record<string, unknown>, member: 'UserPoolId' | 'Username' | 'ClientId' | 'AccessToken'): string {
  const value = input[member]
  if (typeof value === 'string') return value
  const path = member.charAt(0).toLowerCase() + member.slice(1)
  throw invalidParameter(
    `1 validation error detected: Value null at '${path}' failed to satisfy constraint: Member must not be null`,
  )
}

export const readers: Record<Caller, Reader> = {
  account: async () => ({ pool: undefined, complete: async () => ({}) }),
  pool: inPool,
  user: aboutUser,
  feedback: inPool,
  client: async (context, input) => {
    const client = await context.pools.getClient(given(input, 'ClientId'))
    const pool = await context.pools.get(client.pool)
    return { pool, complete: async () => ({ ...(await openPoolOf(context, pool)), client }) }
  },
  token: withToken,
  session: async (context, input) => {
    if (typeof input.AccessToken === 'string') return withToken(context, input)
    if (typeof input.Session === 'string') return withSession(context, input.Session)
    throw invalidParameter('Either AccessToken or Session is required.')
  },
}
