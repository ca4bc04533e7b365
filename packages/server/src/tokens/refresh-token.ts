import { decodeExactly, MAX_SEALED_CHARACTERS } from '../base64.ts'
import type { PoolSeal } from '../directory/open-pool.ts'
import { SealBrokenError, SealVersionError } from '../keys/pool-keys.ts'

/** The result of a sign-in; refreshes do not change it. */
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

/** The content of a refresh token. Times are ms since the epoch. `expires` ends the whole family; rotation does not extend it. */
export interface RefreshToken extends Grant {
  issued: number
  expires: number
  /** The number of earlier refresh tokens of the family; absent without rotation. */
  generation?: number
}

/** The header of Cognito's refresh tokens, which are JWEs (RFC 7516) that only the service can open. */
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

/**
 * Returns undefined for a text that is not a refresh token of this pool, and `expired` for a token of an unknown version. Does not
 * check expiry or revocation otherwise.
 */
export function openRefreshToken({ pool, cipher }: PoolSeal, text: string): RefreshToken | 'expired' | undefined {
  const sealed = decodeParts(text)
  if (!sealed) return undefined
  try {
    return JSON.parse(cipher.open('refresh', sealed, pool.id).toString('utf8')) as RefreshToken
  } catch (error) {
    if (error instanceof SealVersionError) return 'expired'
    if (error instanceof SealBrokenError) return undefined
    throw error
  }
}

/** Exactly the parts that sealRefreshToken wrote: bytes that moved to another part would be a second spelling of the token. */
function decodeParts(text: string): Buffer | undefined {
  if (text.length > MAX_SEALED_CHARACTERS) return undefined
  const [header, ...texts] = text.split('.', 6)
  const parts = texts.map((part) => decodeExactly(part, 'base64url'))
  const [key, iv, , tag] = parts
  const isExact =
    header === HEADER &&
    parts.length === 4 &&
    parts.every((part) => part !== undefined) &&
    key?.length === IV_AT &&
    iv?.length === BODY_AT - IV_AT &&
    tag?.length === TAG_BYTES
  return isExact ? Buffer.concat(parts) : undefined
}
