import { createHmac } from 'node:crypto'
import type { Client } from '../../directory/client.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { notAuthorized } from '../../errors.ts'
import { matchesSecret } from './client-secret.ts'

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
  const proofOf = (secret: Buffer): Buffer =>
    Buffer.from(
      createHmac('sha256', secret)
        .update(username + client.id)
        .digest('base64'),
    )
  if (!matchesSecret(openPool, client, Buffer.from(hash), proofOf)) {
    throw notAuthorized(`SecretHash does not match for the client: ${client.id}`)
  }
}
