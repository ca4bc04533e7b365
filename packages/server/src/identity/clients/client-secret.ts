import { timingSafeEqual } from 'node:crypto'
import type { Client } from '../../directory/pool.ts'
import type { UserPlace } from '../../directory/user.ts'

/**
 * Whether the caller knows a secret of the client; either of two live ones is good. A client without a secret must be
 * called without one.
 */
export function hasClientSecret(
  { cipher }: Pick<UserPlace, 'cipher'>,
  { id, document: { secrets } }: Client,
  secret: string | undefined,
): boolean {
  if (secret === undefined || secrets.length === 0) return secret === undefined && secrets.length === 0
  const given = Buffer.from(secret)
  // Every secret is compared, whichever fits: how long it takes tells nothing.
  const fits = secrets.map(({ sealed }) => {
    const expected = cipher.open('row', Buffer.from(sealed, 'base64'), `client/${id}`)
    return expected.length === given.length && timingSafeEqual(expected, given)
  })
  return fits.includes(true)
}
