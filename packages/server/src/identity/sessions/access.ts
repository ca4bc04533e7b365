import type { Context } from '../../context.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { type User, userNotFound } from '../../directory/user.ts'
import { notAuthorized } from '../../errors.ts'
import type { AccessTokenClaims } from '../../tokens/claims.ts'
import { checkStatus } from '../sign-in/next-step.ts'
import { findTokenHolder } from './token-holder.ts'

/**
 * Checks an access token against the store: no revocation, no sign-out, and an existing user whose state allows the use of tokens. Throws
 * NotAuthorizedException, UserNotFoundException, PasswordResetRequiredException, UserNotConfirmedException.
 */
export async function checkAccessToken(
  context: Pick<Context, 'store' | 'openUsers'>,
  openPool: OpenPool,
  { sub, origin_jti, event_id, username }: AccessTokenClaims,
): Promise<User> {
  const origin = origin_jti ?? event_id
  // Tokens without a user (client_credentials) have neither.
  if (origin === undefined || username === undefined) throw notAuthorized('Invalid Access Token')
  const { user, revoked } = await findTokenHolder(context, openPool, { sub, origin })
  if (!user) throw userNotFound()
  if (revoked) throw notAuthorized('Access Token has been revoked')
  checkStatus(user)
  return user
}
