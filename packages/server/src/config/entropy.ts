const LEAST_BYTES = 32
/** 32 random bytes have fewer distinct characters, or repeat eight characters, with a probability below 10^-6. */
const LEAST_DISTINCT = { hex: 8, base64: 16 }
const REPEATED = /(.{8}).*\1/s

/**
 * Whether a text can be 32 random bytes, in hex, base64 or base64url. Anything else (a phrase, a word with digits, a repeated
 * pattern) has less entropy than its length suggests: an attacker who has recorded one request can test guesses offline.
 */
export function hasEntropy(text: string): boolean {
  const encoding = /^[\da-f]+$/i.test(text) ? 'hex' : 'base64'
  if (!/^[\w+/-]+={0,2}$/.test(text) || Buffer.from(text, encoding).length < LEAST_BYTES) return false
  // Words in one case, joined by hyphens or digits, are base64url too.
  if (encoding === 'base64' && !(/[a-z]/.test(text) && /[A-Z]/.test(text))) return false
  return new Set(text).size >= LEAST_DISTINCT[encoding] && !REPEATED.test(text)
}
