import { timeOfUuid } from '../clock.ts'
import { parseDocument } from '../directory/document.ts'
import type { OpenPool } from '../directory/open-pool.ts'
import type { Revocation, SignOut } from '../store/merge.ts'
import type { Row } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { MAX_ACCESS_SECONDS } from './lifetimes.ts'

/**
 * All tokens that come from one sign-in. `origin` is a UUID of version 7, made when the sign-in was complete, so that it tells that moment
 * to the millisecond: a sign-out ends what was there before it, and nothing after.
 */
export interface Family {
  sub: string
  origin: string
}

/**
 * The facts that end a family, by their keys; `isRevoked` reads their bodies. A sign-out is kept under a keyed hash of the sub; the
 * first release kept it under the sub, and a region that does not know better yet still does, so both are read.
 */
export const revocationsOf = ({ sub, origin }: Family, hash: string) =>
  [{ kind: 'revocation', key: origin } as const, ...signOutsOf(sub, hash)] as const

const signOutsOf = (sub: string, hash: string) =>
  [
    { kind: 'sign-out', key: hash },
    { kind: 'sign-out', key: sub },
  ] as const

/** The keyed hash of a sub under which sign-outs of the user are kept. */
export const signOutHash = ({ cipher }: Pick<OpenPool, 'cipher'>, sub: string): string => cipher.index('sign-out', sub)

type Bodies = readonly (string | undefined)[]

/** Whether the tokens of a family have been ended, by a revocation or by a sign-out in any region. */
export function isRevoked({ origin }: Pick<Family, 'origin'>, [revocation, ...signOuts]: Bodies): boolean {
  return revocation !== undefined || timeOfUuid(origin) <= latest(signOuts)
}

const latest = (signOuts: Bodies): number =>
  Math.max(0, ...signOuts.map((body) => (body === undefined ? 0 : parseDocument('sign-out', { body }).before)))

/** The moment of the newest sign-out that this region knows of (ms since the epoch); 0 when there was none. */
export const lastSignOut = async (store: Pick<Store, 'bodies'>, openPool: OpenPool, sub: string): Promise<number> =>
  latest(await store.bodies(openPool.pool.id, signOutsOf(sub, signOutHash(openPool, sub))))

/** Ends the tokens of one family. `expires`: when its refresh token ends by itself, in ms since the epoch. */
export function revokeFamily(
  tx: Transaction,
  pool: string,
  { origin, expires }: { origin: string; expires: number },
): Promise<void> {
  const fact: Revocation = { expires: expires + MAX_ACCESS_SECONDS * 1000 }
  return tx.share('revocation', { pool, key: origin, body: JSON.stringify(fact) })
}

/** Ends all tokens that a user has got up to the moment `before` (ms since the epoch). */
export function revokeAllTokens(
  tx: Transaction,
  openPool: OpenPool,
  { sub, before }: { sub: string; before: number },
): Promise<void> {
  const { id, document } = openPool.pool
  const key = document.form === 'sealed' ? signOutHash(openPool, sub) : sub
  return tx.share('sign-out', { pool: id, key, body: JSON.stringify({ before } satisfies SignOut) })
}

/** Keeps sign-outs that stand under a sub under its keyed hash. Returns the rows that are not needed any more. */
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
