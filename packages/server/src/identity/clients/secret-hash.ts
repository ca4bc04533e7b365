import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Client, openClientSecrets } from '../../directory/client.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { notAuthorized } from '../../errors.ts'

/**
 * Checks SECRET_HASH, the proof that a caller knows the client's secret: `Base64(HMAC-SHA256(secret, username || client id))`, over
 * the username as the call spells it. A client may have two secrets, both valid; for a client without a secret, a hash is an error.
 * Throws NotAuthorizedException.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/signing-up-users-in-your-app.html#cognito-user-pools-computing-secret-hash
 */
export function checkSecretHash(
  openPool: Pick<OpenPool, 'cipher'>,
  client: Client,
  username: string,
  hash: string | undefined,
): void {
  const { secrets } = client.document
  if (hash === undefined) {
    if (secrets.length === 0) return
    throw notAuthorized(`Client ${client.id} is configured with secret but SECRET_HASH was not received`)
  }
  if (secrets.length === 0) throw notAuthorized(`Unable to verify secret hash for client ${client.id}`)
  const given = Buffer.from(hash)
  // Compare every secret, so that the time does not depend on which secret matches.
  const matches = openClientSecrets(openPool, client).map((secret) => {
    const expected = Buffer.from(
      createHmac('sha256', secret)
        .update(username + client.id)
        .digest('base64'),
    )
    return expected.length === given.length && timingSafeEqual(expected, given)
  })
  if (!matches.includes(true)) throw notAuthorized(`SecretHash does not match for the client: ${client.id}`)
}
