import { nodeModule } from './node-modules.ts'

/** Decodes base64url without padding (RFC 7515 section 2). @throws if the text is not base64url */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = new Uint8Array(binary.length)
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at)
  return bytes
}

const Buffer = nodeModule('node:buffer')?.Buffer

/** Decodes base64url to UTF-8 text. The caller has checked the alphabet. */
export const textOf: (text: string) => string = Buffer
  ? (text) => Buffer.from(text, 'base64url').toString('utf8')
  : (text) => new TextDecoder().decode(bytesOf(text))

/** Valid endings, which leave no stray bits, by length modulo 4. */
const CANONICAL_END: Record<number, RegExp | undefined> = {
  0: /[\w-]$/,
  2: /[AQgw]$/,
  3: /[AEIMQUYcgkosw048]$/,
}

/**
 * Whether the text is the only encoding of its bytes. Decoders ignore the stray bits of the last character, so without
 * this check one signature would have several spellings (RFC 4648 section 3.5).
 */
export function isCanonical(text: string): boolean {
  return CANONICAL_END[text.length % 4]?.test(text) === true
}
