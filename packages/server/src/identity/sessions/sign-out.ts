import type { Context } from '../../context.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { revokeAllTokens } from '../../tokens/revocation.ts'

/**
 * Signs a user out everywhere: revokes all tokens of the user up to now. Works in any region of the pool; another region refuses the
 * tokens once it has received the sign-out. `origin`: the family of the token that made the call, which is revoked in any case.
 */
export async function signOutEverywhere(
  { store, events, poolClock }: Pick<Context, 'store' | 'events' | 'poolClock'>,
  openPool: OpenPool,
  { sub, how, origin }: { sub: string; how: 'user' | 'admin'; origin?: string | undefined },
): Promise<void> {
  await store.write((tx) => revokeAllTokens(tx, { poolClock }, openPool, { sub, origin }))
  events.signedOut({ pool: openPool.pool.id, sub, how })
}
