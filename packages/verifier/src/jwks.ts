/** Parses and fetches a JSON Web Key Set (RFC 7517). */
import { bytesOf } from './base64url.ts'
import type { Clock } from './clock.ts'
import { JwksError } from './errors.ts'

/** The public part of an RSA key for RS256. */
export type RsaJwk = { kty: 'RSA'; alg: 'RS256'; use: 'sig'; kid: string; n: string; e: string }

/** A JSON Web Key Set, as its issuer publishes it. Keys of other kinds are ignored. */
export type Jwks = { readonly keys: readonly Readonly<Record<string, unknown>>[] }

const MODULUS_BITS = { min: 2048, max: 8192 }
const MAX_KEYS = 100
const MAX_KID_LENGTH = 256

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Returns the keys of a set that can check RS256 signatures: RSA of 2048 to 8192 bits, `alg` RS256 and `use` sig if given.
 * Skips other keys (RFC 7517 section 5) and a second key with the same `kid`. Drops private members. A set without
 * usable keys is valid: it withdraws all keys.
 *
 * @throws JwksError if the value is not a key set
 */
export function readJwks(value: unknown): RsaJwk[] {
  if (!isObject(value) || !Array.isArray(value.keys)) throw new JwksError('not a JSON Web Key Set')
  if (value.keys.length > MAX_KEYS) throw new JwksError(`more than ${MAX_KEYS} keys`)
  const usable = new Map<string, RsaJwk>()
  for (const key of value.keys) {
    if (isUsable(key) && !usable.has(key.kid)) {
      usable.set(key.kid, { kty: 'RSA', alg: 'RS256', use: 'sig', kid: key.kid, n: key.n, e: key.e })
    }
  }
  return [...usable.values()]
}

function isUsable(key: unknown): key is RsaJwk {
  if (!isObject(key) || key.kty !== 'RSA') return false
  const { alg = 'RS256', use = 'sig', key_ops = ['verify'], kid, n, e } = key
  if (alg !== 'RS256' || use !== 'sig' || !Array.isArray(key_ops) || !key_ops.includes('verify')) return false
  if (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_LENGTH) return false
  const bits = bitLength(n)
  if (bits === undefined || bits < MODULUS_BITS.min || bits > MODULUS_BITS.max) return false
  const exponent = bitLength(e)
  // An odd number from 3 to 2^32. With exponent 1, every text would be its own signature.
  return exponent !== undefined && exponent >= 2 && exponent <= 32 && isOdd(e as string)
}

function numberOf(value: unknown): Uint8Array | undefined {
  if (typeof value !== 'string' || !/^[\w-]{1,2048}$/.test(value)) return undefined
  try {
    return bytesOf(value)
  } catch {
    return undefined
  }
}

function bitLength(value: unknown): number | undefined {
  const bytes = numberOf(value)
  const first = bytes?.findIndex((byte) => byte !== 0) ?? -1
  if (bytes === undefined || first < 0) return undefined
  return (bytes.length - first) * 8 - (Math.clz32(bytes[first] as number) - 24)
}

const isOdd = (value: string) => ((numberOf(value)?.at(-1) as number) & 1) === 1

/** The part of `fetch` that this package uses. */
export type Fetch = (
  address: string,
  init: { signal: AbortSignal; redirect: 'manual'; headers: Record<string, string> },
) => Promise<FetchResponse>

type FetchResponse = {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: { getReader(): Reader } | null
}
type Reader = {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>
  cancel(): Promise<unknown>
}

export type FetchSettings = { fetch: Fetch; clock: Clock; timeoutMs: number; maxBytes: number }

// Without these, a browser would use its HTTP cache and send cookies. Some edge runtimes reject these members.
const forBrowsers = 'document' in globalThis ? { cache: 'no-store', credentials: 'omit' } : {}

/**
 * Fetches the key set that an address publishes. Accepts only status 200 and follows no redirects, so that no other host
 * can supply the keys. One timeout covers connecting, headers and body; `maxBytes` limits the body.
 *
 * @throws JwksError with the address
 */
export async function fetchJwks(
  address: string,
  { fetch, clock, timeoutMs, maxBytes }: FetchSettings,
  signal: AbortSignal,
): Promise<RsaJwk[]> {
  const abort = new AbortController()
  const cancel = () => abort.abort()
  const timer = clock.setTimeout(cancel, timeoutMs)
  signal.addEventListener('abort', cancel, { once: true })
  const aborted = new Promise<never>((_, reject) => {
    abort.signal.addEventListener('abort', () => {
      reject(new JwksError(signal.aborted ? 'no longer needed' : `no response within ${timeoutMs} ms`, { address }))
    })
  })
  // It may reject after the race below has ended; do not report that as an unhandled rejection.
  aborted.catch(() => {})
  try {
    const headers = { accept: 'application/json, application/jwk-set+json' }
    const init = { ...forBrowsers, signal: abort.signal, redirect: 'manual', headers } as const
    const response = await Promise.race([fetch(address, init), aborted])
    if (response.status !== 200) {
      // Browsers report an unfollowed redirect as status 0.
      const isRedirect = response.status === 0 || (response.status >= 300 && response.status < 400)
      throw new JwksError(isRedirect ? 'responds with a redirect' : `responds with HTTP ${response.status}`, {
        address,
      })
    }
    return readJwks(JSON.parse(await Promise.race([readText(response, maxBytes), aborted])))
  } catch (error) {
    if (error instanceof JwksError && error.address !== undefined) throw error
    throw new JwksError(reasonOf(error), { address, cause: error })
  } finally {
    clock.clearTimeout(timer)
    signal.removeEventListener('abort', cancel)
    abort.abort()
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof JwksError) return error.message
  return error instanceof SyntaxError ? 'not JSON' : 'unreachable'
}

async function readText(response: FetchResponse, maxBytes: number): Promise<string> {
  const tooLong = () => new JwksError(`longer than ${maxBytes} bytes`)
  if (Number(response.headers.get('content-length')) > maxBytes) throw tooLong()
  const reader = response.body?.getReader()
  if (reader === undefined) return ''
  const decoder = new TextDecoder()
  let text = ''
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done || value === undefined) return text + decoder.decode()
    length += value.length
    if (length > maxBytes) {
      reader.cancel().catch(() => {})
      throw tooLong()
    }
    text += decoder.decode(value, { stream: true })
  }
}
