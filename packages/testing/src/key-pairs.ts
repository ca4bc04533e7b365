/** RSA key pairs, generated once and kept between runs: generating one takes longer than the rest of creating a pool. */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { GenerateKeyPair, KeyPair } from '@twinpool/server/internal/tokens/signing-keys'

const file = fileURLToPath(new URL('../../../node_modules/.cache/test-key-pairs.json', import.meta.url))
/** Enough that two pools of one test never share a pair. */
const PAIRS = 32
export const MODULUS_BITS = 2048

/** Private keys, PKCS #8 in PEM. */
let stored: readonly string[] | undefined
const opened: KeyPair[] = []
let taken = 0

/** Returns the stored key pairs in rotation. */
export function takeKeyPair(): KeyPair {
  stored ??= read() ?? make()
  const at = taken++ % PAIRS
  opened[at] ??= open(stored[at] as string)
  return opened[at]
}

/** An argument of `createRegion` that replaces the real generation. */
export const generateKeyPair: GenerateKeyPair = async () => takeKeyPair()

function open(pem: string): KeyPair {
  const privateKey = createPrivateKey(pem)
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

function read(): readonly string[] | undefined {
  try {
    const pems = JSON.parse(readFileSync(file, 'utf8')) as readonly string[]
    return pems.length === PAIRS ? pems : undefined
  } catch {
    return undefined
  }
}

function make(): readonly string[] {
  const pems = Array.from({ length: PAIRS }, () =>
    generateKeyPairSync('rsa', { modulusLength: MODULUS_BITS })
      .privateKey.export({ format: 'pem', type: 'pkcs8' })
      .toString(),
  )
  mkdirSync(dirname(file), { recursive: true })
  // Written atomically, because other test processes read it at the same time.
  const fresh = `${file}.${process.pid}`
  writeFileSync(fresh, JSON.stringify(pems), { mode: 0o600 })
  renameSync(fresh, file)
  return pems
}
