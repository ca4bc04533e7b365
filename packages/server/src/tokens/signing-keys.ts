import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { Clock } from '../clock.ts'
import type { PoolSeal } from '../directory/open-pool.ts'
import {
  findSigningKeys,
  insertSigningKey,
  openPrivateKey,
  SIGNING_USES,
  type SigningKeyDocument,
  type SigningUse,
  sealPrivateKey,
} from '../directory/signing-key.ts'
import { type PoolCipher, type PoolKeys, SealBrokenError } from '../keys/pool-keys.ts'
import { KeyUnavailableError } from '../keys/provider.ts'
import { createCache } from '../store/cache.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import type { SigningKey } from './jwt.ts'

/** An RSA key pair. */
export interface KeyPair {
  publicKey: KeyObject
  privateKey: KeyObject
}

export interface SigningKeyPair extends KeyPair {
  kid: string
}

/** A public key in `/.well-known/jwks.json` (RFC 7517). */
export interface PublishedKey {
  alg: 'RS256'
  e: string
  kid: string
  kty: 'RSA'
  n: string
  use: 'sig'
}

/** A key pair whose private part was opened by the pool's data key, which proves it. */
interface OpenedPair {
  kid: string
  privateKey: KeyObject
  publicKey: KeyObject
  published: PublishedKey
}

/** The rows of a pool, and their pairs once opened; undefined for a row that the pool's data key did not seal. */
interface PoolSigningKeys {
  documents: Record<SigningUse, SigningKeyDocument>
  opened?: Record<SigningUse, OpenedPair | undefined>
}

/** The signing keys of the pools that this region holds, decoded and cached. */
export interface SigningKeys {
  /** Generates the keys of a new pool. It takes up to a second in the thread pool: call it before the transaction. */
  generate(): Promise<Record<SigningUse, SigningKeyPair>>
  /**
   * The public keys; undefined when this region does not hold the pool. While the pool's KMS key is unavailable they are those of the
   * rows, which are not authenticated.
   */
  published(pool: string): Promise<PublishedKey[] | undefined>
  /** The public key with this `kid`, and the use of the pair. */
  verifying(pool: string, kid: string): Promise<{ use: SigningUse; key: KeyObject } | undefined>
  /** The private key to sign with. Throws SealBrokenError when the pool's key did not seal it. */
  signing(openPool: PoolSeal, use: SigningUse): Promise<SigningKey>
}

const MODULUS_BITS = 2048
/** The rows of a pool and the keys that are opened from them, rounded up. */
const POOL_BYTES = 30_000
const KID_BYTES = 32

const generateRsa = promisify(generateKeyPair)

export type GenerateKeyPair = () => Promise<KeyPair>

/** Generates an RSA key pair; the default source of a region. Tests inject another source. */
export const generateSigningKeyPair: GenerateKeyPair = () => generateRsa('rsa', { modulusLength: MODULUS_BITS })

/** Writes the keys of a new pool in the transaction that creates it. */
export async function writeSigningKeys(
  tx: Transaction,
  openPool: PoolSeal,
  pairs: Record<SigningUse, SigningKeyPair>,
): Promise<void> {
  for (const use of SIGNING_USES) {
    const { kid, publicKey, privateKey } = pairs[use]
    const { n, e } = publicKey.export({ format: 'jwk' })
    const sealed = sealPrivateKey(openPool, use, privateKey.export({ format: 'der', type: 'pkcs8' }))
    await insertSigningKey(tx, openPool, use, { kid, n: n as string, e: e as string, sealed })
  }
}

export function createSigningKeys({
  store,
  keys,
  clock,
  generateKeyPair,
}: {
  store: Store
  keys: Pick<PoolKeys, 'get'>
  clock: Pick<Clock, 'randomBytes'>
  generateKeyPair: GenerateKeyPair
}): SigningKeys {
  const cache = createCache<PoolSigningKeys | undefined>(
    { store, bytesOf: () => POOL_BYTES },
    async (pool) => {
      const documents = await findSigningKeys(store, pool)
      return documents && { documents }
    },
    ({ kind, pool }) => (kind === 'signing-key' ? pool : undefined),
  )
  const open = async (
    pool: string,
    getCipher: () => Promise<PoolCipher> = () => keys.get(pool),
  ): Promise<PoolSigningKeys['opened']> => {
    const known = await cache.get(pool)
    if (!known) return undefined
    known.opened ??= openPairs({ pool: { id: pool }, cipher: await getCipher() }, known.documents)
    return known.opened
  }
  return {
    generate: async () => {
      const [id, access] = await Promise.all(
        SIGNING_USES.map(async () => ({
          kid: clock.randomBytes(KID_BYTES).toString('base64'),
          ...(await generateKeyPair()),
        })),
      )
      return { id, access } as Record<SigningUse, SigningKeyPair>
    },
    published: async (pool) => {
      try {
        const opened = await open(pool)
        return opened && SIGNING_USES.flatMap((use) => opened[use]?.published ?? [])
      } catch (error) {
        if (!(error instanceof KeyUnavailableError)) throw error
        const documents = (await cache.get(pool))?.documents
        return documents && SIGNING_USES.map((use) => publish(documents[use]))
      }
    },
    verifying: async (pool, kid) => {
      const opened = await open(pool)
      const use = opened && SIGNING_USES.find((entry) => opened[entry]?.kid === kid)
      const pair = use && opened[use]
      return pair && { use, key: pair.publicKey }
    },
    signing: async ({ pool: { id }, cipher }, use) => {
      const pair = (await open(id, async () => cipher))?.[use]
      if (!pair) throw new SealBrokenError(`the pool ${id} has no valid signing key for ${use} tokens`)
      return { kid: pair.kid, key: pair.privateKey }
    },
  }
}

function openPairs(
  openPool: PoolSeal,
  documents: Record<SigningUse, SigningKeyDocument>,
): Record<SigningUse, OpenedPair | undefined> {
  const openPair = (use: SigningUse): OpenedPair | undefined => {
    const { kid, sealed } = documents[use]
    try {
      const privateKey = createPrivateKey({ key: openPrivateKey(openPool, use, sealed), format: 'der', type: 'pkcs8' })
      const publicKey = createPublicKey(privateKey)
      const { n, e } = publicKey.export({ format: 'jwk' }) as { n: string; e: string }
      return { kid, privateKey, publicKey, published: publish({ kid, n, e }) }
    } catch (error) {
      if (error instanceof SealBrokenError) return undefined
      throw error
    }
  }
  return { id: openPair('id'), access: openPair('access') }
}

const publish = ({ kid, n, e }: Pick<SigningKeyDocument, 'kid' | 'n' | 'e'>): PublishedKey => ({
  alg: 'RS256',
  e,
  kid,
  kty: 'RSA',
  n,
  use: 'sig',
})
