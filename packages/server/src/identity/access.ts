import { CognitoError } from '../errors.ts'
import type { AccessTokenClaims } from '../tokens/claims.ts'
import type { Context } from './context.ts'
import type { User, UserPlace } from './user.ts'

/** Checks what only the store can tell of an access token: revocation, and a user who is there and enabled. Throws NotAuthorizedException. */
export async function checkAccessToken(
  _context: Pick<Context, 'store'>,
  _place: UserPlace,
  _claims: AccessTokenClaims,
): Promise<User> {
  throw new CognitoError('NotAuthorizedException', 'Invalid Access Token')
}
