import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { createCache } from '../store/cache.ts'
import { ONLY } from '../store/kinds.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/write.ts'
import { type KeyProvider, KeyUnavailableError } from './provider.ts'

/**
 * Seals and opens under the data key of one pool (AES-256-GCM, one subkey per purpose by HKDF, RFC 5869). A value opens
 * only with the purpose and the binding that it was sealed with: one that was moved to another row or use is refused.
 */
export interface PoolCipher {
  seal(purpose: Purpose, plain: Buffer, binding?: string): Buffer
  /** Throws SealBrokenError when the value was sealed elsewhere, altered, or sealed for another purpose or binding. */
  open(purpose: Purpose, sealed: Buffer, binding?: string): Buffer
  /** A keyed hash of a value, for index columns: it reveals nothing but whether two values are equal. */
  index(field: string, value: string): string
  /** A keyed pseudo-random value, stable for the pool: plausible data for users who do not exist. */
  derive(label: string, size: number): Buffer
}

export type Purpose = 'row' | 'session' | 'srp' | 'refresh' | 'code' | 'page'

export class SealBrokenError extends Error {
  constructor(message = 'the sealed value cannot be opened') {
    super(message)
    this.name = 'SealBrokenError'
  }
}

/** The value has a version that this build does not know: a newer build sealed it, or a much older one. It counts as expired. */
export class SealVersionError extends SealBrokenError {
  constructor() {
    super('the sealed value has an unknown version')
    this.name = 'SealVersionError'
  }
}

/** Body of a `data-key` row. It unwraps in every region that holds the material of the wrapping key. */
export interface DataKey {
  keyArn: string
  wrapped: string
}

export interface PoolKeys {
  /** Throws KeyUnavailableError when the pool's KMS key is disabled or deleted: the pool stops, as in Cognito. */
  get(pool: string): Promise<PoolCipher>
  /** Creates the data key of a new pool. Call `write` in the transaction that creates the pool; the cipher seals its first rows. */
  create(pool: string, keyArn: string): Promise<{ cipher: PoolCipher; write(tx: Transaction): Promise<void> }>
  /**
   * Wraps the data key of the pool under another KMS key; sealed values stay as they are. `write` returns false and writes nothing when
   * the data key has been wrapped again since. A transaction never waits for a key service: on SQLite all other writes would wait too.
   */
  rewrap(pool: string, keyArn: string): Promise<{ write(tx: Transaction): Promise<boolean> }>
}

const VERSION = 1
const VERSION_BYTE = Buffer.of(VERSION)
const IV_BYTES = 12
const TAG_BYTES = 16

export function createPoolKeys({
  store,
  provider,
  clock,
}: {
  store: Store
  provider: KeyProvider
  clock: Pick<Clock, 'randomBytes'>
}): PoolKeys {
  const ciphers = createCache<PoolCipher>(
    { store },
    async (pool) => {
      const row = await store.find('data-key', { pool, key: ONLY })
      if (!row) throw new KeyUnavailableError(`the pool ${pool} has no data key`)
      return cipherOf(await unwrap(pool, JSON.parse(row.body) as DataKey), clock)
    },
    ({ kind, pool }) => (kind === 'data-key' ? pool : undefined),
  )
  provider.onChange(() => ciphers.clear())

  const unwrap = (pool: string, { keyArn, wrapped }: DataKey): Promise<Buffer> =>
    provider.unwrap(localArn(keyArn, provider.region), Buffer.from(wrapped, 'base64'), contextOf(pool))
  const write = (tx: Transaction, pool: string, keyArn: string, wrapped: Buffer): Promise<void> =>
    tx.put('data-key', {
      pool,
      key: ONLY,
      body: JSON.stringify({ keyArn, wrapped: wrapped.toString('base64') } satisfies DataKey),
    })

  return {
    get: (pool) => ciphers.get(pool),
    create: async (pool, keyArn) => {
      const { plain, wrapped } = await provider.generateDataKey(keyArn, contextOf(pool))
      return { cipher: cipherOf(plain, clock), write: (tx) => write(tx, pool, keyArn, wrapped) }
    },
    rewrap: async (pool, keyArn) => {
      const row = await store.find('data-key', { pool, key: ONLY })
      if (!row) throw new KeyUnavailableError(`the pool ${pool} has no data key`)
      const plain = await unwrap(pool, JSON.parse(row.body) as DataKey)
      const wrapped = await provider.wrap(keyArn, plain, contextOf(pool))
      return {
        write: async (tx) => {
          const present = await tx.lock('data-key', { pool, key: ONLY })
          if (present?.body !== row.body) return false
          await write(tx, pool, keyArn, wrapped)
          return true
        },
      }
    },
  }
}

const contextOf = (pool: string): Record<string, string> => ({ 'twinpool:user-pool': pool })

/**
 * The ARN of a key in another region: a replica key has the id and material of its primary key, and an ARN of its own region.
 * https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html
 */
export function localArn(keyArn: string, region: string): string {
  const parts = keyArn.split(':')
  parts[3] = region
  return parts.join(':')
}

function cipherOf(dataKey: Buffer, clock: Pick<Clock, 'randomBytes'>): PoolCipher {
  // Key objects, because node:crypto needs four times as long with a key given as bytes.
  const subkeys = new Map<string, KeyObject>()
  const subkey = (label: string): KeyObject => {
    let key = subkeys.get(label)
    if (!key) {
      key = createSecretKey(Buffer.from(hkdfSync('sha256', dataKey, '', `twinpool/${label}`, 32)))
      subkeys.set(label, key)
    }
    return key
  }
  return {
    seal: (purpose, plain, binding = '') => {
      const iv = clock.randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', subkey(purpose), iv)
      cipher.setAAD(Buffer.from(binding))
      const body = cipher.update(plain)
      cipher.final()
      return Buffer.concat([VERSION_BYTE, iv, body, cipher.getAuthTag()])
    },
    open: (purpose, sealed, binding = '') => {
      if (sealed.length < 1 + IV_BYTES + TAG_BYTES) throw new SealBrokenError()
      if (sealed[0] !== VERSION) throw new SealVersionError()
      const decipher = createDecipheriv('aes-256-gcm', subkey(purpose), sealed.subarray(1, 1 + IV_BYTES), {
        authTagLength: TAG_BYTES,
      })
      decipher.setAAD(Buffer.from(binding))
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
      try {
        const plain = decipher.update(sealed.subarray(1 + IV_BYTES, -TAG_BYTES))
        // GCM returns the plaintext before it has verified the tag; `final` verifies it, and throws.
        decipher.final()
        return plain
      } catch {
        throw new SealBrokenError()
      }
    },
    index: (field, value) => createHmac('sha256', subkey('index')).update(`${field}\n${value}`).digest('base64url'),
    derive: (label, size) => Buffer.from(hkdfSync('sha256', subkey('derive'), '', label, size)),
  }
}
