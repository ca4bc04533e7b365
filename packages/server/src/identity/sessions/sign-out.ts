import { timeOfUuid } from '../../clock.ts'
import type { Context } from '../../context.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { revokeAllTokens } from '../../tokens/revocation.ts'

/**
 * Signs a user out everywhere: whatever tokens the user has got up to now are refused by this service, in every region as soon as it
 * has heard of it. Works in any region of the pool. `origin`: the family whose token asks for it, which ends in any case.
 */
export async function signOutEverywhere(
  { store, clock, events }: Pick<Context, 'store' | 'clock' | 'events'>,
  openPool: OpenPool,
  { sub, how, origin }: { sub: string; how: 'user' | 'admin'; origin?: string | undefined },
): Promise<void> {
  // The family that asks for it may have begun in a region whose clock is ahead, or before this one's was set back.
  const before = Math.max(clock.now(), origin === undefined ? 0 : timeOfUuid(origin))
  await store.write((tx) => revokeAllTokens(tx, openPool, { sub, before }))
  events.signedOut({ pool: openPool.pool.id, sub, how })
}
