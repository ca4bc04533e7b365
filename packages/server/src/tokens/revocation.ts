import { timeOfUuid } from '../clock.ts'
import { parseDocument } from '../directory/document.ts'
import type { Revocation, SignOut } from '../store/merge.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { LONGEST_ACCESS_SECONDS } from './lifetimes.ts'

/**
 * All tokens that come from one sign-in. `origin` is a UUID of version 7, made when the sign-in was complete, so that it tells that moment
 * to the millisecond: a sign-out ends what was there before it, and nothing after.
 */
export interface Family {
  sub: string
  origin: string
}

/** The facts that say so, by their keys; `isEnded` reads their bodies. */
export const endingsOf = ({ sub, origin }: Family) =>
  [
    { kind: 'revocation', key: origin },
    { kind: 'sign-out', key: sub },
  ] as const

/** Whether the tokens of a family have been ended, by a revocation or by a sign-out in whatever region. */
export function isEnded(
  { origin }: Pick<Family, 'origin'>,
  { revocation, signOut }: { revocation: string | undefined; signOut: string | undefined },
): boolean {
  if (revocation !== undefined) return true
  return signOut !== undefined && timeOfUuid(origin) <= parseDocument('sign-out', { body: signOut }).before
}

/** The moment of the newest sign-out that this region has heard of (ms since the epoch); 0 when there was none. */
export async function lastSignOut(store: Pick<Store, 'find'>, pool: string, sub: string): Promise<number> {
  const row = await store.find('sign-out', { pool, key: sub })
  return row ? parseDocument('sign-out', row).before : 0
}

/** Ends the tokens of one family. `expires`: when its refresh token ends by itself, in ms since the epoch. */
export function revokeFamily(
  tx: Transaction,
  pool: string,
  { origin, expires }: { origin: string; expires: number },
): Promise<void> {
  const fact: Revocation = { expires: expires + LONGEST_ACCESS_SECONDS * 1000 }
  return tx.share('revocation', { pool, key: origin, body: JSON.stringify(fact) })
}

/** Ends all tokens that a user has got up to the moment `before` (ms since the epoch). */
export function endAllTokens(
  tx: Transaction,
  pool: string,
  { sub, before }: { sub: string; before: number },
): Promise<void> {
  return tx.share('sign-out', { pool, key: sub, body: JSON.stringify({ before } satisfies SignOut) })
}
