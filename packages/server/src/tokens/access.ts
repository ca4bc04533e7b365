import type { Clock } from '../clock.ts'
import { CognitoError } from '../errors.ts'
import { type AccessTokenClaims, SELF_SERVICE_SCOPE } from './claims.ts'
import { type IssuerPlace, isIssuerOf, poolOfIssuer } from './issuer.ts'
import { isSignedBy, parseJwt } from './jwt.ts'
import type { SigningKeys } from './signing-keys.ts'

export interface AccessContext extends IssuerPlace {
  clock: Pick<Clock, 'now'>
  signingKeys: SigningKeys
}

/**
 * Reads an access token for the self-service API as far as it goes without the store: signature, issuer, use, life, scope.
 * Throws NotAuthorizedException.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
 */
export async function readAccessToken(
  { clock, signingKeys, ...issuers }: AccessContext,
  token: string,
): Promise<{ claims: AccessTokenClaims; pool: string }> {
  const jwt = parseJwt(token)
  const issuer = jwt?.claims.iss
  if (!jwt || typeof issuer !== 'string') throw refused('Invalid Access Token')
  const pool = poolOfIssuer(issuer)
  const known = pool && (await signingKeys.verifying(pool, jwt.kid))
  if (!known || !isSignedBy(known.key, jwt)) throw refused('Could not verify signature for Access Token')

  // The signature is ours: from here on the claims are what we wrote.
  const claims = jwt.claims as unknown as AccessTokenClaims
  if (known.use !== 'access' || claims.token_use !== 'access' || !isIssuerOf(issuers, pool, issuer)) {
    throw refused('Invalid Access Token')
  }
  if (claims.exp * 1000 <= clock.now()) throw refused('Access Token has expired')
  if (!claims.scope.split(' ').includes(SELF_SERVICE_SCOPE)) {
    throw refused('Access Token does not have required scopes')
  }
  return { claims, pool }
}

const refused = (message: string): CognitoError => new CognitoError('NotAuthorizedException', message)
