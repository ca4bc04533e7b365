import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto'
import { BoundedCache } from '../bounded-cache.ts'
import type { Clock } from '../clock.ts'
import { CognitoError } from '../errors.ts'

export interface SignatureSettings {
  /** Secret access keys by access key id. */
  credentials: Pick<ReadonlyMap<string, string>, 'get'>
  clock: Pick<Clock, 'now'>
  region: string
  services: readonly string[]
  /** Accepts calls signed for any region: for regions behind a router that clients see as one region. */
  anyRegion?: boolean
}

export type SignatureCheck = (request: SignedRequest) => { accessKeyId: string }

/** A request as received. */
export interface SignedRequest {
  method: string
  /** As sent: still percent-encoded. */
  path: string
  /** As sent, without the question mark. */
  query: string
  headers: Pick<Headers, 'get'>
  body: Buffer
}

const ALGORITHM = 'AWS4-HMAC-SHA256'
const TERMINATOR = 'aws4_request'
const SKEW_MINUTES = 5
/** For about a hundred keys. */
const CACHED_KEY_BYTES = 50_000
/** If one of these headers were unsigned, a signed call could be turned into another call. */
const MUST_BE_SIGNED = ['host', 'x-amz-date', 'x-amz-target']
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
const REGION_NAME = /^[a-z0-9-]{1,32}$/

/**
 * Returns a check of an AWS Signature Version 4 in the Authorization header, over the whole body (`UNSIGNED-PAYLOAD` is not valid for a
 * JSON call). Throws CognitoError: MissingAuthenticationTokenException, IncompleteSignatureException,
 * UnrecognizedClientException or InvalidSignatureException. It caches the signing keys that it derives.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function createSignatureCheck(rules: SignatureSettings): SignatureCheck {
  const withKeys = { ...rules, keys: new BoundedCache({ bytes: CACHED_KEY_BYTES, bytesOf: () => 300 }) as SigningKeys }
  return (request) => checkSignature(withKeys, request)
}

/** What the headers of a signed call say; nothing but the signature itself is left to check. */
interface SignatureHead {
  time: string
  scope: Scope
  signedHeaders: string[]
  signature: string
  secret: string
}

/** The part of the check that needs no body. Throws CognitoError. */
export function checkSignatureHead(rules: SignatureSettings, headers: SignedRequest['headers']): SignatureHead {
  const authorization = headers.get('authorization')
  if (!authorization) throw new CognitoError('MissingAuthenticationTokenException', 'Missing Authentication Token')
  const date = headers.get('x-amz-date') ?? headers.get('date')
  const { scope, signedHeaders, signature } = parseAuthorization(authorization, date !== null)
  const time = parseTime(date as string)

  const secret = rules.credentials.get(scope.accessKeyId)
  // All configured credentials are long-lived: none of them has a session token.
  if (secret === undefined || headers.get('x-amz-security-token')) {
    throw new CognitoError('UnrecognizedClientException', 'The security token included in the request is invalid.')
  }
  checkScope(rules, scope, time)
  checkTime(rules.clock.now(), time)
  for (const name of MUST_BE_SIGNED) {
    if (headers.get(name) !== null && !signedHeaders.includes(name)) {
      invalid(`'${name === 'host' ? "Host' or ':authority" : name}' must be a 'SignedHeader' in the AWS Authorization.`)
    }
  }
  return { time, scope, signedHeaders, signature, secret }
}

function checkSignature(
  rules: SignatureSettings & { keys: SigningKeys },
  request: SignedRequest,
): { accessKeyId: string } {
  const { time, scope, signedHeaders, signature, secret } = checkSignatureHead(rules, request.headers)
  const text = stringToSign(request, signedHeaders, { time, scope })
  const expected = hmac(signingKey(rules.keys, secret, scope), text)
  const given = /^[0-9a-f]{64}$/.test(signature) ? Buffer.from(signature, 'hex') : Buffer.alloc(expected.length)
  if (!timingSafeEqual(expected, given)) {
    invalid(
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    )
  }
  return { accessKeyId: scope.accessKeyId }
}

interface Scope {
  accessKeyId: string
  date: string
  region: string
  service: string
  terminator: string
}

function parseAuthorization(
  header: string,
  hasDate: boolean,
): { scope: Scope; signedHeaders: string[]; signature: string } {
  const parts = new Map<string, string>()
  const prefix = new RegExp(`^${ALGORITHM}\\s+`).exec(header)
  for (const part of prefix ? header.slice(prefix[0].length).split(',') : []) {
    const at = part.indexOf('=')
    if (at > 0) parts.set(part.slice(0, at).trim(), part.slice(at + 1).trim())
  }
  const missing = ['Credential', 'Signature', 'SignedHeaders']
    .filter((name) => !parts.get(name))
    .map((name) => `Authorization header requires '${name}' parameter.`)
  if (!hasDate) {
    missing.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
  }
  if (missing.length > 0) {
    const digest = hash('sha256', header, 'base64')
    incomplete(`${missing.join(' ')} (Hashed with SHA-256 and encoded with Base64) Authorization=${digest}`)
  }
  const elements = (parts.get('Credential') as string).split('/')
  if (elements.length !== 5) {
    incomplete('Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.')
  }
  const [accessKeyId, date, region, service, terminator] = elements as [string, string, string, string, string]
  const signedHeaders = (parts.get('SignedHeaders') as string).split(';')
  if (!signedHeaders.every((name) => HEADER_NAME.test(name))) {
    incomplete('SignedHeaders must be lower-case header names separated by semicolons.')
  }
  return {
    scope: { accessKeyId, date, region, service, terminator },
    signedHeaders,
    signature: parts.get('Signature') as string,
  }
}

function checkScope({ region, services, anyRegion }: SignatureSettings, scope: Scope, time: string): void {
  const wrong: string[] = []
  if (anyRegion ? !REGION_NAME.test(scope.region) : scope.region !== region) {
    wrong.push('Credential should be scoped to a valid region. ')
  }
  if (!services.includes(scope.service)) {
    wrong.push(`Credential should be scoped to correct service: '${services.join("' or '")}'. `)
  }
  if (scope.terminator !== TERMINATOR) {
    wrong.push(`Credential should be scoped with a valid terminator: '${TERMINATOR}'. `)
  }
  if (scope.date !== time.slice(0, 8)) {
    wrong.push(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${time.slice(0, 8)}', from '${time}'. `,
    )
  }
  if (wrong.length > 0) invalid(wrong.join(''))
}

function checkTime(now: number, signed: string): void {
  const skew = SKEW_MINUTES * 60_000
  const at = Date.parse(signed.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  if (at < now - skew) {
    invalid(
      `Signature expired: ${signed} is now earlier than ${basic(now - skew)} (${basic(now)} - ${SKEW_MINUTES} min.)`,
    )
  }
  if (at > now + skew) {
    invalid(
      `Signature not yet current: ${signed} is still later than ${basic(now + skew)} (${basic(now)} + ${SKEW_MINUTES} min.)`,
    )
  }
}

/** Returns the time of the request in ISO 8601's basic format, from that format or from the format of HTTP's Date header. */
function parseTime(text: string): string {
  if (/^\d{8}T\d{6}Z$/.test(text)) {
    const extended = text.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z')
    if (!Number.isNaN(Date.parse(extended))) return text
  } else if (/ GMT$/.test(text) && !Number.isNaN(Date.parse(text))) return basic(Date.parse(text))
  incomplete("Date must be in ISO-8601 'basic format'. See http://en.wikipedia.org/wiki/ISO_8601.")
}

const basic = (milliseconds: number): string => new Date(milliseconds).toISOString().replace(/[-:]|\.\d{3}/g, '')

function stringToSign(
  request: SignedRequest,
  signedHeaders: readonly string[],
  { time, scope }: { time: string; scope: Scope },
): string {
  const headers = signedHeaders.map(
    (name) => `${name}:${(request.headers.get(name) ?? '').trim().replace(/ +/g, ' ')}\n`,
  )
  const canonical = [
    request.method,
    request.path.split('/').map(uriEncode).join('/') || '/',
    canonicalQuery(request.query),
    headers.join(''),
    signedHeaders.join(';'),
    sha256(request.body),
  ].join('\n')
  const { date, region, service, terminator } = scope
  return [ALGORITHM, time, `${date}/${region}/${service}/${terminator}`, sha256(canonical)].join('\n')
}

function canonicalQuery(query: string): string {
  if (query === '') return ''
  return query
    .split('&')
    .map((pair) => {
      const at = pair.indexOf('=')
      const name = at < 0 ? pair : pair.slice(0, at)
      return [uriEncode(decode(name)), uriEncode(decode(at < 0 ? '' : pair.slice(at + 1)))] as const
    })
    .sort(([a, x], [b, y]) => (a === b ? Number(x > y) - Number(x < y) : a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

/** Text that cannot be decoded is used unchanged. The signature then does not match, because no client signs such text. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** RFC 3986 §2.3: all but unreserved characters. */
const uriEncode = (text: string): string =>
  encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )

/** Derived keys by scope, each with the secret that it was derived from. */
type SigningKeys = BoundedCache<{ secret: string; key: KeyObject }>

function signingKey(keys: SigningKeys, secret: string, { accessKeyId, date, region, service }: Scope): KeyObject {
  const name = `${accessKeyId}/${date}/${region}/${service}`
  const cached = keys.get(name)
  if (cached?.secret === secret) return cached.key
  const bytes = [date, region, service, TERMINATOR].reduce<Buffer>(hmac, Buffer.from(`AWS4${secret}`))
  const key = createSecretKey(bytes)
  keys.set(name, { secret, key })
  return key
}

const hmac = (key: Buffer | KeyObject, text: string): Buffer => createHmac('sha256', key).update(text).digest()
const sha256 = (data: string | Buffer): string => hash('sha256', data, 'hex')

function invalid(message: string): never {
  throw new CognitoError('InvalidSignatureException', message)
}

function incomplete(message: string): never {
  throw new CognitoError('IncompleteSignatureException', message)
}
