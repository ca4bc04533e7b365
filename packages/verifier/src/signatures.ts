import { bytesOf } from './base64url.ts'
import type { RsaJwk } from './jwks.ts'
import { nodeModule } from './node-modules.ts'

/** Checks RS256 signatures: with WebCrypto (asynchronous) or with Node's own crypto (synchronous). */
export type Signatures<Handle = unknown> = {
  importKey(jwk: RsaJwk): Handle | Promise<Handle>
  /** `input` is ASCII; `signature` base64url. */
  check(key: Handle, input: string, signature: string): boolean | Promise<boolean>
}

const ALGORITHM = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }

type SubtleCrypto = typeof globalThis.crypto.subtle
type WebKey = Awaited<ReturnType<SubtleCrypto['importKey']>>

/** RS256 with WebCrypto, which every runtime has. */
export const webSignatures: Signatures<WebKey> = {
  importKey: (jwk) => globalThis.crypto.subtle.importKey('jwk', jwk, ALGORITHM, false, ['verify']),
  check: (key, input, signature) =>
    globalThis.crypto.subtle.verify(ALGORITHM.name, key, bytesOf(signature), new TextEncoder().encode(input)),
}

/**
 * RS256 with node:crypto, or undefined if the runtime lacks it. Measured on Node 24: 20 µs per signature, against 50 µs with
 * WebCrypto, which uses the thread pool (bench/verify.ts).
 */
export function nodeSignatures(): Signatures<import('node:crypto').KeyObject> | undefined {
  const crypto = nodeModule('node:crypto')
  if (crypto?.createVerify === undefined || crypto.createPublicKey === undefined) return undefined
  return {
    importKey: (jwk) => crypto.createPublicKey({ key: jwk, format: 'jwk' }),
    check: (key, input, signature) =>
      crypto.createVerify('RSA-SHA256').update(input).verify(key, signature, 'base64url'),
  }
}

/** node:crypto if the runtime has it, because it is faster; else WebCrypto. */
export const defaultSignatures = (): Signatures =>
  (nodeSignatures() as Signatures | undefined) ?? (webSignatures as Signatures)
