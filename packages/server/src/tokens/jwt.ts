import { type KeyObject, sign, verify } from 'node:crypto'
import { decodeExactly, MAX_SEALED_CHARACTERS } from '../base64.ts'

/** The parts of a JWT (RFC 7519), not verified. */
export interface ParsedJwt {
  kid: string
  claims: Record<string, unknown>
  signed: Buffer
  signature: Buffer
}

/** A private key, and the id of its public key. */
export interface SigningKey {
  kid: string
  key: KeyObject
}

/** A token to be signed. */
export interface Unsigned {
  signer: SigningKey
  claims: object
}

const ALGORITHM = 'RSA-SHA256'

/** Uncontended pairs of signatures after which the region counts as idle. */
const IDLE_PAIRS = 8

/** Signs the tokens of one region. */
export interface JwtSigner {
  /** Signs two tokens at the same time with RS256 (RFC 7518 §3.3). */
  signPair(first: Unsigned, second: Unsigned): Promise<[string, string]>
}

/**
 * The signer uses the thread pool. In an idle region it computes the second of two signatures in the main thread, which has
 * nothing else to do and finishes sooner than a second thread (docs/decisions/speed.md).
 */
export function createJwtSigner(): JwtSigner {
  let inThreads = 0
  let idlePairs = 0
  const signInThread = ({ signer, claims }: Unsigned): Promise<string> => {
    const text = textOf(signer, claims)
    return new Promise((resolve, reject) => {
      sign(ALGORITHM, Buffer.from(text), signer.key, (error, signature) => {
        inThreads -= 1
        if (error) reject(error)
        else resolve(withSignature(text, signature))
      })
      inThreads += 1
    })
  }
  const signHere = async ({ signer, claims }: Unsigned): Promise<string> => {
    const text = textOf(signer, claims)
    return withSignature(text, sign(ALGORITHM, Buffer.from(text), signer.key))
  }
  return {
    signPair: (first, second) => {
      idlePairs = inThreads === 0 ? idlePairs + 1 : 0
      return Promise.all([signInThread(first), idlePairs < IDLE_PAIRS ? signInThread(second) : signHere(second)])
    },
  }
}

/** As in Cognito's tokens, the header has `kid` and `alg` only. */
const textOf = ({ kid }: SigningKey, claims: object): string => `${encode({ kid, alg: 'RS256' })}.${encode(claims)}`
const withSignature = (text: string, signature: Buffer): string => `${text}.${signature.toString('base64url')}`

/**
 * Returns undefined for a text that is not a JWT with `alg` RS256. The signature covers the other parts as they are written; its own
 * spelling is checked here.
 */
export function parseJwt(token: string): ParsedJwt | undefined {
  if (token.length > MAX_SEALED_CHARACTERS) return undefined
  // No `split`: copies of the parts cost 5 % of a GetUser.
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  if (first < 1 || second < first + 2 || second === token.length - 1 || token.includes('.', second + 1))
    return undefined
  const head = decode(token.slice(0, first))
  const claims = decode(token.slice(first + 1, second))
  const signature = decodeExactly(token.slice(second + 1), 'base64url')
  if (head?.alg !== 'RS256' || typeof head.kid !== 'string' || !claims || !signature) return undefined
  return {
    kid: head.kid,
    claims,
    signed: Buffer.from(token.slice(0, second)),
    signature,
  }
}

export const isSignedBy = (key: KeyObject, { signed, signature }: ParsedJwt): boolean =>
  verify(ALGORITHM, signed, key, signature)

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
