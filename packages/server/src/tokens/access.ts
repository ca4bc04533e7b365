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
 * Reads an access token for the self-service API as far as it goes without the store: signature, issuer, use, life, scope.
 * Throws NotAuthorizedException.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
 */
export async function readAccessToken(
  context: AccessContext,
  token: string,
): Promise<{ claims: AccessTokenClaims; pool: string }> {
  const jwt = parseJwt(token)
  const issuer = jwt?.claims.iss
  if (!jwt || typeof issuer !== 'string') throw notAuthorized('Invalid Access Token')
  const pool = poolOfIssuer(issuer)
  const known = pool && (await context.signingKeys.verifying(pool, jwt.kid))
  if (!known || !isVerified(context, known.key, token, jwt))
    throw notAuthorized('Could not verify signature for Access Token')

  // The signature is ours: from here on the claims are what we wrote.
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
 * Tokens whose signature was verified, and the key that it was verified with: a token is presented many times in its life. A
 * key that is replaced is another object, so that no entry outlives its key.
 */
export type VerifiedTokens = BoundedCache<KeyObject>

/** About 10 MB. */
export const createVerifiedTokens = (): VerifiedTokens => new BoundedCache(10_000)

function isVerified(
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
