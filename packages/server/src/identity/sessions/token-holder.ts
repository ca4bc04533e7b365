import { BoundedCache } from '../../bounded-cache.ts'
import type { Context } from '../../context.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { openUser, type User } from '../../directory/user.ts'
import type { PoolCipher } from '../../keys/pool-keys.ts'
import { endingsOf, type Family, isEnded, signOutHash } from '../../tokens/revocation.ts'

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
  const known = openUsers.get(sub)
  const remembered = known?.cipher === openPool.cipher ? known : undefined
  const signOuts = remembered?.signOuts ?? signOutHash(openPool, sub)
  const wanted = [{ kind: 'user', key: sub } as const, ...endingsOf(family, signOuts)]
  const [body, ...endings] = await store.bodies(openPool.pool.id, wanted)
  let user = body === remembered?.body ? remembered?.user : undefined
  if (!user && body !== undefined) {
    user = frozen(openUser(openPool, { key: sub, body }))
    openUsers.set(sub, { cipher: openPool.cipher, body, user, signOuts })
  }
  return { user, ended: isEnded(family, endings) }
}

/**
 * Users who were opened recently, each with the sealed text and the cipher: while the row, which is read each time, has the same
 * text and its pool the same key, the user is the same. `signOuts`: the hash that the user's sign-outs are kept under.
 */
export type OpenUsers = BoundedCache<{ cipher: PoolCipher; body: string; user: User; signOuts: string }>

/** About 8 MB. */
export const createOpenUsers = (): OpenUsers => new BoundedCache(4_000)

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const part of Object.values(value)) frozen(part)
  return Object.freeze(value)
}
