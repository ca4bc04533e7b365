import type { Context } from '../../context.ts'
import type { User, UserPlace } from '../../directory/user.ts'
import { CognitoError } from '../../errors.ts'
import type { AccessTokenClaims } from '../../tokens/claims.ts'
import { findTokenHolder } from './token-holder.ts'

/**
 * Checks what only the store can tell of an access token: revocation, sign-out, and a user who is there and enabled. Throws
 * NotAuthorizedException, UserNotFoundException.
 */
export async function checkAccessToken(
  context: Pick<Context, 'store'>,
  place: UserPlace,
  { sub, origin_jti, event_id, username }: AccessTokenClaims,
): Promise<User> {
  const origin = origin_jti ?? event_id
  // Tokens without a user (client_credentials) have neither.
  if (origin === undefined || username === undefined) throw refused('Invalid Access Token')
  const { user, ended } = await findTokenHolder(context, place, { sub, origin })
  if (!user) throw new CognitoError('UserNotFoundException', 'User does not exist.')
  if (ended) throw refused('Access Token has been revoked')
  if (!user.enabled) throw refused('User is disabled.')
  return user
}

const refused = (message: string): CognitoError => new CognitoError('NotAuthorizedException', message)
