import { timingSafeEqual } from 'node:crypto'
import { type Client, openClientSecrets } from '../../directory/client.ts'
import type { OpenPool } from '../../directory/open-pool.ts'

/**
 * Whether the caller knows a secret of the client; either of two live ones is good. A client without a secret must be
 * called without one.
 */
export function hasClientSecret(
  openPool: Pick<OpenPool, 'cipher'>,
  client: Client,
  secret: string | undefined,
): boolean {
  const { secrets } = client.document
  if (secret === undefined || secrets.length === 0) return secret === undefined && secrets.length === 0
  const given = Buffer.from(secret)
  // Every secret is compared, whichever fits: how long it takes tells nothing.
  const fits = openClientSecrets(openPool, client).map(
    (expected) => expected.length === given.length && timingSafeEqual(expected, given),
  )
  return fits.includes(true)
}
