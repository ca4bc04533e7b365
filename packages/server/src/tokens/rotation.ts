import { parseDocument } from '../directory/document.ts'
import type { Rotation } from '../store/merge.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { MAX_ACCESS_SECONDS } from './lifetimes.ts'
import type { RefreshToken } from './refresh-token.ts'
import { revokeFamily } from './revocation.ts'

/**
 * Uses a refresh token under rotation, in any region. The first use of a generation is recorded; the token stays valid for
 * `graceSeconds` after it, so that a client can retry after a lost response. A later use, or a use of an older generation, means
 * theft or a broken client: it revokes the family.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-refresh-token.html
 */
export async function redeemGeneration(
  tx: Transaction,
  pool: string,
  { origin, generation = 0, expires }: Pick<RefreshToken, 'origin' | 'generation' | 'expires'>,
  { graceSeconds }: { graceSeconds: number },
): Promise<'valid' | 'reused'> {
  const { now } = tx
  const row = await tx.lock('rotation', { pool, key: origin })
  const newest = row && parseDocument('rotation', row)
  // This region may not have received the generations in between; the newer one is still valid.
  if (!newest || generation > newest.generation) {
    const fact: Rotation = { generation, at: now, expires: expires + MAX_ACCESS_SECONDS * 1000 }
    await tx.share('rotation', { pool, key: origin, body: JSON.stringify(fact) })
    return 'valid'
  }
  // Math.abs: another region's clock may have been ahead at the first use; that must not extend the grace period.
  if (generation === newest.generation && Math.abs(now - newest.at) < graceSeconds * 1000) return 'valid'
  await revokeFamily(tx, pool, { origin, expires })
  return 'reused'
}

/** Whether a token was used while its client still had rotation; turning rotation off does not make it valid again. */
export async function isRotatedOut(
  store: Pick<Store, 'find'>,
  pool: string,
  { origin, generation }: Pick<RefreshToken, 'origin' | 'generation'>,
): Promise<boolean> {
  if (generation === undefined) return false
  const row = await store.find('rotation', { pool, key: origin })
  return row !== undefined && generation <= parseDocument('rotation', row).generation
}
