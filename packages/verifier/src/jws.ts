/** Parses a signed token (RFC 7515 section 3.1, RFC 7519) without trusting its content. */
import { isCanonical, textOf } from './base64url.ts'
import { refusal } from './errors.ts'

export type TokenHeader = Readonly<{ alg: 'RS256'; kid: string } & Record<string, unknown>>

export type Jws = {
  readonly header: TokenHeader
  /** The encoded header: equal texts are equal headers. */
  readonly headerText: string
  readonly payload: Readonly<Record<string, unknown>>
  /** The signing input: encoded header, dot, encoded payload. */
  readonly input: string
  /** In base64url. */
  readonly signature: string
}

const FORM = /^[\w-]+\.[\w-]+\.[\w-]+$/
const MAX_HEADER_LENGTH = 2_048
const MAX_KID_LENGTH = 256

type Limits = { maxLength: number; knownHeader(text: string): TokenHeader | undefined }

/**
 * Splits and decodes a token. Nothing in the result is verified.
 * @throws TokenRefusedError of the check `structure`, `alg` or `kid`
 */
export function readJws(token: unknown, { maxLength, knownHeader }: Limits): Jws {
  if (typeof token !== 'string' || token.length > maxLength || !FORM.test(token)) throw refusal('structure')
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  const signature = token.slice(second + 1)
  if (first > MAX_HEADER_LENGTH || !isCanonical(signature)) throw refusal('structure')
  const headerText = token.slice(0, first)
  return {
    header: knownHeader(headerText) ?? readHeader(headerText),
    headerText,
    payload: readObject(token.slice(first + 1, second)),
    input: token.slice(0, second),
    signature,
  }
}

function readHeader(text: string): TokenHeader {
  const header = readObject(text)
  // Never trust the token's own choice of algorithm: a user pool uses only RS256 (RFC 8725 section 3.1).
  if (header.alg !== 'RS256') throw refusal('alg')
  // `crit` lists extensions that a verifier must support; this one supports none (RFC 7515 section 4.1.11).
  if ('crit' in header) throw refusal('structure')
  if (typeof header.kid !== 'string' || header.kid === '' || header.kid.length > MAX_KID_LENGTH) throw refusal('kid')
  return header as TokenHeader
}

function readObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(textOf(text))
  } catch {
    throw refusal('structure')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal('structure')
  return value as Record<string, unknown>
}
