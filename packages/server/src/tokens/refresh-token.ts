import type { PoolSeal } from '../directory/open-pool.ts'
import { SealBrokenError } from '../keys/pool-keys.ts'

/** What a sign-in has proved; it stays the same through all refreshes. */
export interface Grant {
  sub: string
  client: string
  /** The family of the tokens; see revocation.ts. */
  origin: string
  eventId: string
  /** Seconds since the epoch. */
  authTime: number
  scopes: readonly string[]
}

/** What a refresh token says. Times are ms since the epoch; `expires` is the end of the family, whatever happens in between. */
export interface RefreshToken extends Grant {
  issued: number
  expires: number
  /** How many tokens of the family were before this one; counted only where refresh tokens are rotated. */
  generation?: number
}

/** As in Cognito's refresh tokens, which are JWEs (RFC 7516) that nobody but the service can open. */
const HEADER = Buffer.from('{"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}').toString('base64url')
const IV_AT = 1
const BODY_AT = 13
const TAG_BYTES = 16

/** Seals a refresh token under the pool's key: five parts of base64url; see docs/decisions/refresh-tokens.md. */
export function sealRefreshToken({ pool, cipher }: PoolSeal, token: RefreshToken): string {
  const sealed = cipher.seal('refresh', Buffer.from(JSON.stringify(token)), pool.id)
  const parts = [
    sealed.subarray(0, IV_AT),
    sealed.subarray(IV_AT, BODY_AT),
    sealed.subarray(BODY_AT, -TAG_BYTES),
    sealed.subarray(-TAG_BYTES),
  ]
  return [HEADER, ...parts.map((part) => part.toString('base64url'))].join('.')
}

/** Undefined when it is no refresh token of this pool. It may have expired, or have been revoked. */
export function openRefreshToken({ pool, cipher }: PoolSeal, text: string): RefreshToken | undefined {
  const [header, ...parts] = text.split('.')
  if (header !== HEADER || parts.length !== 4) return undefined
  try {
    const sealed = Buffer.concat(parts.map((part) => Buffer.from(part, 'base64url')))
    return JSON.parse(cipher.open('refresh', sealed, pool.id).toString('utf8')) as RefreshToken
  } catch (error) {
    if (error instanceof SealBrokenError) return undefined
    throw error
  }
}
