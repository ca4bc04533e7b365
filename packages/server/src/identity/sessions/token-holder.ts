import { BoundedCache } from '../../bounded-cache.ts'
import type { Context } from '../../context.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { openUser, type User } from '../../directory/user.ts'
import type { PoolCipher } from '../../keys/pool-keys.ts'
import { endingsOf, type Family, isEnded } from '../../tokens/revocation.ts'

/**
 * Whose tokens they are, and whether those have been ended; one question to the store, for every call with a token asks it. The user is
 * frozen.
 */
export async function findTokenHolder(
  { store, openUsers }: Pick<Context, 'store' | 'openUsers'>,
  openPool: OpenPool,
  family: Family,
): Promise<{ user: User | undefined; ended: boolean }> {
  const { sub } = family
  const wanted = [{ kind: 'user', key: sub } as const, ...endingsOf(family)]
  const [body, revocation, signOut] = await store.bodies(openPool.pool.id, wanted)
  return {
    user: body === undefined ? undefined : openRemembered(openUsers, openPool, { key: sub, body }),
    ended: isEnded(family, { revocation, signOut }),
  }
}

/**
 * Users who were opened recently, each with the sealed text and the cipher: while the row, which is read each time, has the same
 * text and its pool the same key, the user is the same.
 */
export type OpenUsers = BoundedCache<{ cipher: PoolCipher; body: string; user: User }>

/** About 8 MB. */
export const createOpenUsers = (): OpenUsers => new BoundedCache(4_000)

function openRemembered(openUsers: OpenUsers, openPool: OpenPool, row: { key: string; body: string }): User {
  const { cipher } = openPool
  const known = openUsers.get(row.key)
  if (known?.body === row.body && known.cipher === cipher) return known.user
  const user = frozen(openUser(openPool, row))
  openUsers.set(row.key, { cipher, body: row.body, user })
  return user
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const part of Object.values(value)) frozen(part)
  return Object.freeze(value)
}
