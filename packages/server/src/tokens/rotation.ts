import { parseDocument } from '../directory/document.ts'
import type { Rotation } from '../store/merge.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { MAX_ACCESS_SECONDS } from './lifetimes.ts'
import type { RefreshToken } from './refresh-token.ts'
import { revokeFamily } from './revocation.ts'

/**
 * Uses a refresh token of a client that rotates them, in any region, and answers whether it was good. The first use of a generation is
 * written down; the token stays good for `graceSeconds` after it, so that a client whose answer was lost can ask again. A later use, or one of an
 * older generation, is theft or a broken client: it ends the family.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-refresh-token.html
 */
export async function redeemGeneration(
  tx: Transaction,
  pool: string,
  { origin, generation = 0, expires }: Pick<RefreshToken, 'origin' | 'generation' | 'expires'>,
  { now, graceSeconds }: { now: number; graceSeconds: number },
): Promise<'good' | 'reused'> {
  const row = await tx.lock('rotation', { pool, key: origin })
  const newest = row && parseDocument('rotation', row)
  // A region that has not heard of the generations in between takes the newer one for what it is.
  if (!newest || generation > newest.generation) {
    const fact: Rotation = { generation, at: now, expires: expires + MAX_ACCESS_SECONDS * 1000 }
    await tx.share('rotation', { pool, key: origin, body: JSON.stringify(fact) })
    return 'good'
  }
  // The first use may have been told by a clock that was ahead: that makes the grace no longer.
  if (generation === newest.generation && Math.abs(now - newest.at) < graceSeconds * 1000) return 'good'
  await revokeFamily(tx, pool, { origin, expires })
  return 'reused'
}

/** Whether a token was used up while its client still rotated them; what was good only for a retry does not come back. */
export async function isRotatedOut(
  store: Pick<Store, 'find'>,
  pool: string,
  { origin, generation }: Pick<RefreshToken, 'origin' | 'generation'>,
): Promise<boolean> {
  if (generation === undefined) return false
  const row = await store.find('rotation', { pool, key: origin })
  return row !== undefined && generation <= parseDocument('rotation', row).generation
}
