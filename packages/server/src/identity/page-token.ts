import { decodeExactly } from '../base64.ts'
import type { Context } from '../context.ts'
import type { OpenPool } from '../directory/open-pool.ts'
import { invalidParameter } from '../errors.ts'
import { SealBrokenError } from '../keys/pool-keys.ts'

/** The documented lifetime of ListUsers tokens, used for all lists. */
const LIFETIME_MILLISECONDS = 3_600_000

/** Default and maximum page size. */
const PAGE_SIZE = 60

/** The requested page size; 60 for 0 and undefined. */
export const pageSize = (limit: number | undefined): number => limit || PAGE_SIZE

/** Seals a token for the next page of a list. It is valid for this pool, this list with these parameters, and one hour. */
export function sealPageToken(
  { clock }: Pick<Context, 'clock'>,
  openPool: OpenPool,
  { list, after }: { list: readonly string[]; after: string },
): string {
  const plain = JSON.stringify({ after, expires: clock.now() + LIFETIME_MILLISECONDS })
  return openPool.cipher.seal('page', Buffer.from(plain), bindingOf(openPool, list)).toString('base64url')
}

/** Returns the key that the page begins after; undefined for the first page. Throws InvalidParameterException. */
export function openPageToken(
  { clock }: Pick<Context, 'clock'>,
  openPool: OpenPool,
  { list, token }: { list: readonly string[]; token: string | undefined },
): string | undefined {
  if (token === undefined) return undefined
  try {
    const sealed = decodeExactly(token, 'base64url')
    if (!sealed) throw new SealBrokenError()
    const plain = openPool.cipher.open('page', sealed, bindingOf(openPool, list))
    const { after, expires } = JSON.parse(plain.toString()) as { after: string; expires: number }
    if (expires > clock.now()) return after
  } catch (error) {
    if (!(error instanceof SealBrokenError)) throw error
  }
  throw invalidParameter('Invalid pagination token given.')
}

const bindingOf = ({ pool }: OpenPool, list: readonly string[]): string => JSON.stringify([pool.id, ...list])
