import { hash, type KeyObject } from 'node:crypto'
import { MAX_SEALED_CHARACTERS } from '../base64.ts'
import { BoundedCache } from '../bounded-cache.ts'
import type { Clock } from '../clock.ts'
import { notAuthorized } from '../errors.ts'
import { type AccessTokenClaims, SELF_SERVICE_SCOPE } from './claims.ts'
import { type IssuerAddresses, isIssuerOf, poolOfIssuer } from './issuer.ts'
import { isSignedBy, parseJwt } from './jwt.ts'
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
  if (token.length > MAX_SEALED_CHARACTERS) throw notAuthorized('Invalid Access Token')
  const { signingKeys, verifiedTokens } = context
  const name = hash('sha256', token, 'base64')
  const remembered = verifiedTokens.get(name)
  const parsed = remembered ? undefined : parseJwt(token)
  const jwt = remembered ?? parsed
  const issuer = jwt?.claims.iss
  if (!jwt || typeof issuer !== 'string') throw notAuthorized('Invalid Access Token')
  const pool = poolOfIssuer(issuer)
  const known = pool && (await signingKeys.verifying(pool, jwt.kid))
  const isFresh = isFuture(context, jwt.claims.exp)
  if (!known) throw notAuthorized('Could not verify signature for Access Token')
  if (remembered?.key !== known.key) {
    const unverified = parsed ?? parseJwt(token)
    if (!unverified || !isSignedBy(known.key, unverified)) {
      throw notAuthorized('Could not verify signature for Access Token')
    }
    const { kid, claims } = unverified
    // An expired token is refused anyway.
    if (isFresh) verifiedTokens.set(name, { key: known.key, kid, claims: Object.freeze(claims), size: token.length })
  }

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
 * Tokens with a verified signature, by their hash, with their claims and the key that verified them: a token is presented many times.
 * A replaced key is another object, so no entry outlives its key.
 */
export type VerifiedTokens = BoundedCache<{
  key: KeyObject
  kid: string
  claims: Readonly<Record<string, unknown>>
  size: number
}>

/** For about 5,000 tokens. */
const VERIFIED_BYTES = 12_000_000

/** The claims are shorter than the token, as strings of up to two bytes per character. */
export const createVerifiedTokens = (): VerifiedTokens =>
  new BoundedCache({ bytes: VERIFIED_BYTES, bytesOf: ({ size }) => 500 + 2 * size })
