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

interface PoolSigningKeys {
  published: PublishedKey[]
  verifying: ReadonlyMap<string, { use: SigningUse; key: KeyObject }>
  signing: Record<SigningUse, { kid: string; sealed: string; opened?: KeyObject }>
}

/** The signing keys of the pools that this region holds, decoded and cached. */
export interface SigningKeys {
  /** Generates the keys of a new pool. It takes up to a second in the thread pool: call it before the transaction. */
  generate(): Promise<Record<SigningUse, SigningKeyPair>>
  /** The public keys; undefined when this region does not hold the pool. */
  published(pool: string): Promise<PublishedKey[] | undefined>
  /** The public key with this `kid`, and the use of the pair. */
  verifying(pool: string, kid: string): Promise<{ use: SigningUse; key: KeyObject } | undefined>
  /** The private key to sign with. Throws SealBrokenError when the pool's key did not seal it. */
  signing(openPool: PoolSeal, use: SigningUse): Promise<SigningKey>
}

const MODULUS_BITS = 2048
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
  clock,
  generateKeyPair,
}: {
  store: Store
  clock: Pick<Clock, 'randomBytes'>
  generateKeyPair: GenerateKeyPair
}): SigningKeys {
  const cache = createCache<PoolSigningKeys | undefined>(
    { store },
    async (pool) => {
      const documents = await findSigningKeys(store, pool)
      return documents && decode(documents)
    },
    ({ kind, pool }) => (kind === 'signing-key' ? pool : undefined),
  )
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
    published: async (pool) => (await cache.get(pool))?.published,
    verifying: async (pool, kid) => (await cache.get(pool))?.verifying.get(kid),
    signing: async (openPool, use) => {
      const { id } = openPool.pool
      const known = (await cache.get(id))?.signing[use]
      if (!known) throw new Error(`the pool ${id} has no signing keys`)
      known.opened ??= createPrivateKey({
        key: openPrivateKey(openPool, use, known.sealed),
        format: 'der',
        type: 'pkcs8',
      })
      return { kid: known.kid, key: known.opened }
    },
  }
}

function decode(documents: Record<SigningUse, SigningKeyDocument>): PoolSigningKeys {
  const published = SIGNING_USES.map(
    (use): PublishedKey => ({
      alg: 'RS256',
      e: documents[use].e,
      kid: documents[use].kid,
      kty: 'RSA',
      n: documents[use].n,
      use: 'sig',
    }),
  )
  return {
    published,
    verifying: new Map(
      SIGNING_USES.map((use) => {
        const { kid, n, e } = documents[use]
        return [kid, { use, key: createPublicKey({ key: { kty: 'RSA', n, e }, format: 'jwk' }) }]
      }),
    ),
    signing: { id: documents.id, access: documents.access },
  }
}
