import { timeOfUuid } from '../clock.ts'
import { parseDocument } from '../directory/document.ts'
import { formOf, type OpenPool } from '../directory/open-pool.ts'
import type { Revocation, SignOut } from '../store/merge.ts'
import type { Row } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { MAX_ACCESS_SECONDS } from './lifetimes.ts'
import { type PoolClock, SIGN_OUT_MARGIN_MILLISECONDS } from './pool-clock.ts'

/**
 * All tokens of one sign-in. `origin` is a UUID of version 7, created when the sign-in completed, so it contains that time in
 * milliseconds, on the pool's clock: a sign-out revokes the families that began before it, and none that began later.
 */
export interface Family {
  sub: string
  origin: string
}

/**
 * The addresses of the facts that revoke a family; `isRevoked` takes their bodies. The key of a sign-out is a keyed hash of the sub.
 * In the first release, and in regions that still run it, the key is the sub itself, so both are read.
 */
export const revocationsOf = ({ sub, origin }: Family, hash: string) =>
  [{ kind: 'revocation', key: origin } as const, ...signOutsOf(sub, hash)] as const

const signOutsOf = (sub: string, hash: string) =>
  [
    { kind: 'sign-out', key: hash },
    { kind: 'sign-out', key: sub },
  ] as const

/** The key of a user's sign-out row: a keyed hash of the sub. */
export const signOutHash = ({ cipher }: Pick<OpenPool, 'cipher'>, sub: string): string => cipher.index('sign-out', sub)

type Bodies = readonly (string | undefined)[]

/** Whether a revocation or a sign-out in any region has ended the family. */
export function isRevoked({ origin }: Pick<Family, 'origin'>, [revocation, ...signOuts]: Bodies): boolean {
  return revocation !== undefined || timeOfUuid(origin) <= latest(signOuts)
}

const latest = (signOuts: Bodies): number =>
  Math.max(0, ...signOuts.map((body) => (body === undefined ? 0 : parseDocument('sign-out', { body }).before)))

/** The time of the newest sign-out that this region has received (ms since the epoch); 0 if none. */
export const lastSignOut = async (store: Pick<Store, 'bodies'>, openPool: OpenPool, sub: string): Promise<number> =>
  latest(await store.bodies(openPool.pool.id, signOutsOf(sub, signOutHash(openPool, sub))))

/** Revokes one family. `expires`: when its refresh token expires (ms since the epoch); an access token may expire later. */
export function revokeFamily(
  tx: Transaction,
  pool: string,
  { origin, expires }: { origin: string; expires: number },
): Promise<void> {
  const fact: Revocation = { expires: expires + MAX_ACCESS_SECONDS * 1000 }
  return tx.share('revocation', { pool, key: origin, body: JSON.stringify(fact) })
}

/**
 * Revokes all tokens that a user has received up to now. `origin`: a family that is revoked in any case, even if it seems to begin
 * later, because a clock was set back.
 */
export function revokeAllTokens(
  tx: Transaction,
  { poolClock }: { poolClock: PoolClock },
  openPool: OpenPool,
  { sub, origin }: { sub: string; origin?: string | undefined },
): Promise<void> {
  const now = poolClock.now(openPool.pool) + SIGN_OUT_MARGIN_MILLISECONDS
  const before = Math.max(now, origin === undefined ? 0 : timeOfUuid(origin))
  const key = formOf(openPool) === 'sealed' ? signOutHash(openPool, sub) : sub
  return tx.share('sign-out', { pool: openPool.pool.id, key, body: JSON.stringify({ before } satisfies SignOut) })
}

/** Copies sign-outs keyed by sub to the keyed hash. Returns the old rows, which the caller removes. */
export async function sealSignOuts<R extends Pick<Row, 'key' | 'body'>>(
  tx: Transaction,
  openPool: OpenPool,
  rows: readonly R[],
): Promise<R[]> {
  const plain = rows.filter(({ key }) => UUID.test(key))
  for (const { key, body } of plain) {
    await tx.share('sign-out', { pool: openPool.pool.id, key: signOutHash(openPool, key), body })
  }
  return plain
}

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/
