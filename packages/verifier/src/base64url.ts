import { nodeModule } from './node-modules.ts'

/** The bytes of a base64url text without padding (RFC 7515 section 2). @throws if it is not one */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = new Uint8Array(binary.length)
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at)
  return bytes
}

const Buffer = nodeModule('node:buffer')?.Buffer

/** The UTF-8 text in a base64url text whose alphabet was checked. */
export const textOf: (text: string) => string = Buffer
  ? (text) => Buffer.from(text, 'base64url').toString('utf8')
  : (text) => new TextDecoder().decode(bytesOf(text))

/** Last characters that leave no stray bits, by length modulo 4. */
const CANONICAL_END: Record<number, RegExp | undefined> = {
  0: /[\w-]$/,
  2: /[AQgw]$/,
  3: /[AEIMQUYcgkosw048]$/,
}

/**
 * Whether no other text decodes to the same bytes. Decoders drop the stray bits of the last character, so that without
 * this a signature could be written in several ways (RFC 4648 section 3.5).
 */
export function isCanonical(text: string): boolean {
  return CANONICAL_END[text.length % 4]?.test(text) === true
}
