import { endAllTokens } from '../tokens/revocation.ts'
import type { Context } from './context.ts'
import type { UserPlace } from './user.ts'

/**
 * Signs a user out everywhere: whatever tokens the user has got up to now are refused by this service, in every region as soon as it
 * has heard of it. Works in any region of the pool.
 */
export async function signOutEverywhere(
  { store, clock, events }: Pick<Context, 'store' | 'clock' | 'events'>,
  { pool }: UserPlace,
  { sub, how }: { sub: string; how: 'user' | 'admin' },
): Promise<void> {
  await store.write((tx) => endAllTokens(tx, pool.id, { sub, before: clock.now() }))
  events.signedOut({ pool: pool.id, sub, how })
}
