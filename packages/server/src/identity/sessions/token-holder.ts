import { BoundedCache } from '../../bounded-cache.ts'
import type { Context } from '../../context.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { openUser, type User } from '../../directory/user.ts'
import type { PoolCipher } from '../../keys/pool-keys.ts'
import { type Family, isRevoked, revocationsOf, signOutHash } from '../../tokens/revocation.ts'

/**
 * Finds the user of a token family, and whether the family has been revoked. It is one query, because every call with a token makes it.
 * The user is frozen.
 */
export async function findTokenHolder(
  { store, openUsers }: Pick<Context, 'store' | 'openUsers'>,
  openPool: OpenPool,
  family: Family,
): Promise<{ user: User | undefined; revoked: boolean }> {
  const { sub } = family
  const entry = openUsers.get(sub)
  const cached = entry?.cipher === openPool.cipher ? entry : undefined
  const signOutKey = cached?.signOutKey ?? signOutHash(openPool, sub)
  const wanted = [{ kind: 'user', key: sub } as const, ...revocationsOf(family, signOutKey)]
  const [body, ...revocations] = await store.bodies(openPool.pool.id, wanted)
  let user = body === cached?.body ? cached?.user : undefined
  if (!user && body !== undefined) {
    user = deepFreeze(openUser(openPool, { key: sub, body }))
    if (user) openUsers.set(sub, { cipher: openPool.cipher, body, user, signOutKey })
  }
  return { user, revoked: isRevoked(family, revocations) }
}

/**
 * Recently opened users, each with its sealed body and the cipher. The row is read on every call; while its body and the pool's
 * cipher are the same, the opened user is still valid. `signOutKey`: the key of the user's sign-out row.
 */
export type OpenUsers = BoundedCache<{ cipher: PoolCipher; body: string; user: User; signOutKey: string }>

/** For about 4,000 users with a few attributes. */
const OPEN_USERS_BYTES = 8_000_000

/** The sealed body is base64; the opened user has the same content, as strings of up to two bytes per character. */
export const createOpenUsers = (): OpenUsers =>
  new BoundedCache({ bytes: OPEN_USERS_BYTES, bytesOf: ({ body }) => 500 + 3 * body.length })

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const part of Object.values(value)) deepFreeze(part)
  return Object.freeze(value)
}
