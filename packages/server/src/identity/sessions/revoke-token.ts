import type { Context } from '../../context.ts'
import type { OpenClient } from '../../directory/open-pool.ts'
import { CognitoError } from '../../errors.ts'
import { parseJwt } from '../../tokens/jwt.ts'
import { canRevoke } from '../../tokens/lifetimes.ts'
import { openRefreshToken } from '../../tokens/refresh-token.ts'
import { revokeFamily } from '../../tokens/revocation.ts'
import { hasClientSecret } from '../clients/client-secret.ts'

/** The operation's model has no ResourceNotFoundException. */
export const unknownClient = (): CognitoError => new CognitoError('UnauthorizedException', 'Invalid client')

/**
 * Revokes a refresh token and all tokens of the same sign-in. Succeeds for a token that is unknown, expired or already revoked,
 * as in RFC 7009 §2.2. Works in any region of the pool.
 *
 * @throws UnauthorizedException, UnsupportedOperationException, UnsupportedTokenTypeException
 */
export async function revokeToken(
  { store, clock, events }: Pick<Context, 'store' | 'clock' | 'events'>,
  openClient: OpenClient,
  { token: text, clientSecret }: { token: string; clientSecret: string | undefined },
): Promise<void> {
  const { pool, client } = openClient
  if (!hasClientSecret(openClient, client, clientSecret)) {
    throw new CognitoError('UnauthorizedException', 'Invalid client secret')
  }
  if (!canRevoke(client)) {
    throw new CognitoError('UnsupportedOperationException', 'Token revocation is not enabled for this client')
  }
  if (parseJwt(text)) throw new CognitoError('UnsupportedTokenTypeException', 'Only refresh tokens can be revoked')
  const token = openRefreshToken(openClient, text)
  if (!token || token === 'expired' || token.expires <= clock.now()) return
  if (token.client !== client.id)
    throw new CognitoError('UnauthorizedException', 'The token does not belong to this client')
  await store.write((tx) => revokeFamily(tx, pool.id, token))
  events.signedOut({ pool: pool.id, sub: token.sub, how: 'revocation' })
}
