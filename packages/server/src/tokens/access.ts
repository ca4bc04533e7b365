import type { KeyObject } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { CognitoError } from '../errors.ts'
import { Memory } from '../memory.ts'
import { type AccessTokenClaims, SELF_SERVICE_SCOPE } from './claims.ts'
import { type IssuerPlace, isIssuerOf, poolOfIssuer } from './issuer.ts'
import { isSignedBy, type ParsedJwt, parseJwt } from './jwt.ts'
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
  context: AccessContext,
  token: string,
): Promise<{ claims: AccessTokenClaims; pool: string }> {
  const jwt = parseJwt(token)
  const issuer = jwt?.claims.iss
  if (!jwt || typeof issuer !== 'string') throw refused('Invalid Access Token')
  const pool = poolOfIssuer(issuer)
  const known = pool && (await context.signingKeys.verifying(pool, jwt.kid))
  if (!known || !isGood(known.key, token, jwt)) throw refused('Could not verify signature for Access Token')

  // The signature is ours: from here on the claims are what we wrote.
  const claims = jwt.claims as unknown as AccessTokenClaims
  if (known.use !== 'access' || claims.token_use !== 'access' || !isIssuerOf(context, pool, issuer)) {
    throw refused('Invalid Access Token')
  }
  if (claims.exp * 1000 <= context.clock.now()) throw refused('Access Token has expired')
  if (!claims.scope.split(' ').includes(SELF_SERVICE_SCOPE)) {
    throw refused('Access Token does not have required scopes')
  }
  return { claims, pool }
}

/**
 * Tokens whose signature was found good, by the key that it was found good with: the same text under the same key is good
 * again, and a token comes many times in its life. A key that is replaced is another object, so nothing outlives it here. About
 * 10 MB.
 */
const good = new Memory<KeyObject>(10_000)

function isGood(key: KeyObject, token: string, jwt: ParsedJwt): boolean {
  if (good.get(token) === key) return true
  if (!isSignedBy(key, jwt)) return false
  good.set(token, key)
  return true
}

const refused = (message: string): CognitoError => new CognitoError('NotAuthorizedException', message)
