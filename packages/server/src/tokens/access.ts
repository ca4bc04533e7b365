import { CognitoError } from '../errors.ts'
import type { AccessTokenClaims } from './claims.ts'

/** Reads an access token as far as it can be read without the store: signature, issuer, use, life. Throws NotAuthorizedException. */
export async function readAccessToken(
  _context: object,
  _token: string,
): Promise<{ claims: AccessTokenClaims; pool: string }> {
  throw new CognitoError('NotAuthorizedException', 'Invalid Access Token')
}
