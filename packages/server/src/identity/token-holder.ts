import { endingsOf, type Family, isEnded } from '../tokens/revocation.ts'
import type { Context } from './context.ts'
import { openUser, type User, type UserPlace } from './user.ts'

/** Whose tokens they are, and whether those have been ended; one question to the store, for every call with a token asks it. */
export async function findTokenHolder(
  { store }: Pick<Context, 'store'>,
  place: UserPlace,
  family: Family,
): Promise<{ user: User | undefined; ended: boolean }> {
  const { sub } = family
  const wanted = [{ kind: 'user', key: sub } as const, ...endingsOf(family)]
  const [body, revocation, signOut] = await store.bodies(place.pool.id, wanted)
  return {
    user: body === undefined ? undefined : openUser(place, { key: sub, body }),
    ended: isEnded(family, { revocation, signOut }),
  }
}
