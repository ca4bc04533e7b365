import { hash, type KeyObject } from 'node:crypto'
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
  const isFresh = isFuture(context, jwt.claims.exp)
  if (!known || !isSigned(context, { key: known.key, token, jwt, keep: isFresh }))
    throw notAuthorized('Could not verify signature for Access Token')

  // The signature is valid, so the claims have the shape that accessClaims wrote.
  const claims = jwt.claims as unknown as AccessTokenClaims
  if (known.use !== 'access' || claims.token_use !== 'access' || !isIssuerOf(context, pool, issuer)) {
    throw notAuthorized('Invalid Access Token')
  }
  if (!isFresh) throw notAuthorized('Access Token has expired')
  if (!claims.scope.split(' ').includes(SELF_SERVICE_SCOPE)) {
    throw notAuthorized('Access Token does not have required scopes')
  }
  return { claims, pool }
}

const isFuture = ({ clock }: Pick<AccessContext, 'clock'>, seconds: unknown): boolean =>
  typeof seconds === 'number' && seconds * 1000 > clock.now()

/**
 * Hashes of tokens with a verified signature, and the key that verified it: a token is presented many times. A replaced key is
 * another object, so no entry outlives its key.
 */
export type VerifiedTokens = BoundedCache<KeyObject>

/** For about 10,000 tokens. */
const VERIFIED_BYTES = 3_000_000

export const createVerifiedTokens = (): VerifiedTokens => new BoundedCache({ bytes: VERIFIED_BYTES })

/** `keep`: whether to remember the result. An expired token is refused anyway. */
function isSigned(
  { verifiedTokens }: Pick<AccessContext, 'verifiedTokens'>,
  { key, token, jwt, keep }: { key: KeyObject; token: string; jwt: ParsedJwt; keep: boolean },
): boolean {
  const name = hash('sha256', token, 'base64')
  if (verifiedTokens.get(name) === key) return true
  if (!isSignedBy(key, jwt)) return false
  if (keep) verifiedTokens.set(name, key)
  return true
}
