/** Maximum characters of a token, a session or another sealed value that a caller presents. */
export const MAX_SEALED_CHARACTERS = 16_384

/**
 * Decodes a value that this service has encoded. Returns undefined for any other spelling of the same bytes (RFC 4648 §3.5) and for
 * more than MAX_SEALED_CHARACTERS, so that a value has exactly one spelling.
 */
export function decodeExactly(text: string, encoding: 'base64' | 'base64url'): Buffer | undefined {
  if (text.length > MAX_SEALED_CHARACTERS) return undefined
  const bytes = Buffer.from(text, encoding)
  return bytes.toString(encoding) === text ? bytes : undefined
}
