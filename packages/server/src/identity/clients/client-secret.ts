import { timingSafeEqual } from 'node:crypto'
import { type Client, openClientSecrets } from '../../directory/client.ts'
import type { OpenPool } from '../../directory/open-pool.ts'

/**
 * Whether the caller knows a secret of the client. A client may have two secrets, both valid; for a client without a secret,
 * the call must have none.
 */
export function hasClientSecret(
  openPool: Pick<OpenPool, 'cipher'>,
  client: Client,
  secret: string | undefined,
): boolean {
  const { secrets } = client.document
  if (secret === undefined || secrets.length === 0) return secret === undefined && secrets.length === 0
  const given = Buffer.from(secret)
  // Compare every secret, so that the time does not depend on which secret matches.
  const matches = openClientSecrets(openPool, client).map(
    (expected) => expected.length === given.length && timingSafeEqual(expected, given),
  )
  return matches.includes(true)
}
