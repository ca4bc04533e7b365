import type { Context } from '../../context.ts'
import { openUser, type User, type UserPlace } from '../../directory/user.ts'
import type { PoolCipher } from '../../keys/pool-keys.ts'
import { Memory } from '../../memory.ts'
import { endingsOf, type Family, isEnded } from '../../tokens/revocation.ts'

/**
 * Whose tokens they are, and whether those have been ended; one question to the store, for every call with a token asks it. The user is
 * frozen.
 */
export async function findTokenHolder(
  { store }: Pick<Context, 'store'>,
  place: UserPlace,
  family: Family,
): Promise<{ user: User | undefined; ended: boolean }> {
  const { sub } = family
  const wanted = [{ kind: 'user', key: sub } as const, ...endingsOf(family)]
  const [body, revocation, signOut] = await store.bodies(place.pool.id, wanted)
  return {
    user: body === undefined ? undefined : openRemembered(place, { key: sub, body }),
    ended: isEnded(family, { revocation, signOut }),
  }
}

/**
 * Users who were opened lately, each with the text that was opened and what opened it: while a row has the same text, which is read each time, and its
 * pool the same key, it says the same. About 8 MB.
 */
const opened = new Memory<{ cipher: PoolCipher; body: string; user: User }>(4_000)

function openRemembered(place: UserPlace, row: { key: string; body: string }): User {
  const { cipher } = place
  const known = opened.get(row.key)
  if (known?.body === row.body && known.cipher === cipher) return known.user
  const user = frozen(openUser(place, row))
  opened.set(row.key, { cipher, body: row.body, user })
  return user
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const part of Object.values(value)) frozen(part)
  return Object.freeze(value)
}
