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
  return matchesSecret(openPool, client, Buffer.from(secret))
}

/** Whether a proof matches any secret of the client. Compares every secret: the time must not depend on which secret matches. */
export function matchesSecret(
  openPool: Pick<OpenPool, 'cipher'>,
  client: Client,
  given: Buffer,
  proofOf: (secret: Buffer) => Buffer = (secret) => secret,
): boolean {
  const matches = openClientSecrets(openPool, client).map((secret) => {
    const expected = proofOf(secret)
    return expected.length === given.length && timingSafeEqual(expected, given)
  })
  return matches.includes(true)
}
