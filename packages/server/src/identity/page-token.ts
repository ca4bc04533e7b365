import type { Context } from '../context.ts'
import type { OpenPool } from '../directory/open-pool.ts'
import { invalidParameter } from '../errors.ts'
import { SealBrokenError } from '../keys/pool-keys.ts'

/** As documented for ListUsers; the other lists follow it. */
const LIFETIME_MILLISECONDS = 3_600_000

/** The size of a page when none is asked for, and the largest one. */
const PAGE_SIZE = 60

/** How many entries a page is to have: what was asked for, or 60 for 0 and for nothing. */
export const pageSize = (limit: number | undefined): number => limit || PAGE_SIZE

/** A token for the next page of a list, sealed: it is good for this pool, this list with these parameters, and for an hour. */
export function sealPageToken(
  { clock }: Pick<Context, 'clock'>,
  openPool: OpenPool,
  { list, after }: { list: readonly string[]; after: string },
): string {
  const plain = JSON.stringify({ after, expires: clock.now() + LIFETIME_MILLISECONDS })
  return openPool.cipher.seal('page', Buffer.from(plain), bindingOf(openPool, list)).toString('base64url')
}

/** After which key the page begins; undefined for the first page. Throws InvalidParameterException. */
export function openPageToken(
  { clock }: Pick<Context, 'clock'>,
  openPool: OpenPool,
  { list, token }: { list: readonly string[]; token: string | undefined },
): string | undefined {
  if (token === undefined) return undefined
  try {
    const plain = openPool.cipher.open('page', Buffer.from(token, 'base64url'), bindingOf(openPool, list))
    const { after, expires } = JSON.parse(plain.toString()) as { after: string; expires: number }
    if (expires > clock.now()) return after
  } catch (error) {
    if (!(error instanceof SealBrokenError)) throw error
  }
  throw invalidParameter('Invalid pagination token given.')
}

const bindingOf = ({ pool }: OpenPool, list: readonly string[]): string => JSON.stringify([pool.id, ...list])
