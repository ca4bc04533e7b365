import type { KeyObject } from 'node:crypto'
import { BoundedCache } from '../bounded-cache.ts'
import type { Clock } from '../clock.ts'
import { notAuthorized } from '../errors.ts'
import { type AccessTokenClaims, SELF_SERVICE_SCOPE } from './claims.ts'
import { type IssuerAddresses, isIssuerOf, poolOfIssuer } from './issuer.ts'
import { isSignedBy, type ParsedJwt, parseJwt } from './jwt.ts'
import type { SigningKeys } from './signing-keys.ts'

export interface AccessContext extends IssuerAddresses {
  clock: Pick<Clock, 'now'>
  signingKeys: SigningKeys
  verifiedTokens: VerifiedTokens
}

/**
 * Verifies an access token for the self-service API as far as possible without the store: signature, issuer, use, expiry, scope.
 * Throws NotAuthorizedException.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
 */
export async function verifyAccessToken(
  context: AccessContext,
  token: string,
): Promise<{ claims: AccessTokenClaims; pool: string }> {
  const jwt = parseJwt(token)
  const issuer = jwt?.claims.iss
  if (!jwt || typeof issuer !== 'string') throw notAuthorized('Invalid Access Token')
  const pool = poolOfIssuer(issuer)
  const known = pool && (await context.signingKeys.verifying(pool, jwt.kid))
  if (!known || !isSigned(context, known.key, token, jwt))
    throw notAuthorized('Could not verify signature for Access Token')

  // The signature is valid, so the claims have the shape that accessClaims wrote.
  const claims = jwt.claims as unknown as AccessTokenClaims
  if (known.use !== 'access' || claims.token_use !== 'access' || !isIssuerOf(context, pool, issuer)) {
    throw notAuthorized('Invalid Access Token')
  }
  if (claims.exp * 1000 <= context.clock.now()) throw notAuthorized('Access Token has expired')
  if (!claims.scope.split(' ').includes(SELF_SERVICE_SCOPE)) {
    throw notAuthorized('Access Token does not have required scopes')
  }
  return { claims, pool }
}

/**
 * Tokens with a verified signature, and the key that verified it: a token is presented many times. A replaced key is another
 * object, so no entry outlives its key.
 */
export type VerifiedTokens = BoundedCache<KeyObject>

/** About 10 MB. */
export const createVerifiedTokens = (): VerifiedTokens => new BoundedCache(10_000)

function isSigned(
  { verifiedTokens }: Pick<AccessContext, 'verifiedTokens'>,
  key: KeyObject,
  token: string,
  jwt: ParsedJwt,
): boolean {
  if (verifiedTokens.get(token) === key) return true
  if (!isSignedBy(key, jwt)) return false
  verifiedTokens.set(token, key)
  return true
}
