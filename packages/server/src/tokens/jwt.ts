import { type KeyObject, sign, verify } from 'node:crypto'

/** A JWT taken apart (RFC 7519); nothing of it is believed yet. */
export interface ParsedJwt {
  kid: string
  claims: Record<string, unknown>
  signed: Buffer
  signature: Buffer
}

/** Signs claims with RS256 (RFC 7518 §3.3), in the thread pool. The header has `kid` and `alg` and nothing else, as Cognito's. */
export function signJwt({ kid, key }: { kid: string; key: KeyObject }, claims: object): Promise<string> {
  const text = `${encode({ kid, alg: 'RS256' })}.${encode(claims)}`
  return new Promise((resolve, reject) => {
    sign('RSA-SHA256', Buffer.from(text), key, (error, signature) =>
      error ? reject(error) : resolve(`${text}.${signature.toString('base64url')}`),
    )
  })
}

/** Undefined when it is no JWT that RS256 signed. */
export function parseJwt(token: string): ParsedJwt | undefined {
  // Not by `split`: copies of the parts are a twentieth of a GetUser.
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  if (first < 1 || second < first + 2 || second === token.length - 1 || token.includes('.', second + 1))
    return undefined
  const head = decode(token.slice(0, first))
  const claims = decode(token.slice(first + 1, second))
  if (head?.alg !== 'RS256' || typeof head.kid !== 'string' || !claims) return undefined
  return {
    kid: head.kid,
    claims,
    signed: Buffer.from(token.slice(0, second)),
    signature: Buffer.from(token.slice(second + 1), 'base64url'),
  }
}

export const isSignedBy = (key: KeyObject, { signed, signature }: ParsedJwt): boolean =>
  verify('RSA-SHA256', signed, key, signature)

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function decode(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
