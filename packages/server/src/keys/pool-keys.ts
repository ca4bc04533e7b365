import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject,
} from 'node:crypto'
import { BoundedCache } from '../bounded-cache.ts'
import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'
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
  /**
   * Whether the pool is known to be sealed: its data key was wrapped as that of a sealed pool, or a row has opened that was sealed
   * after that. Turns true at most, never false again.
   */
  readonly isSealed: boolean
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

/**
 * Body of a `data-key` row. It unwraps in every region that holds the material of the wrapping key. `form` is part of the encryption
 * context, so it cannot be changed without the key service.
 */
export interface DataKey {
  keyArn: string
  wrapped: string
  form?: 'sealed'
}

/** The data key of a pool, to be written in a transaction that begins later: on SQLite, waiting in it holds up all other writes. */
export interface WrappedAgain {
  /** Writes nothing and returns false when the data key has been wrapped again since. */
  write(tx: Transaction): Promise<boolean>
}

export interface PoolKeys {
  /** Throws KeyUnavailableError when the pool's KMS key is disabled or deleted: the pool stops, as in Cognito. */
  get(pool: string): Promise<PoolCipher>
  /** Whether the data key of the pool can be unwrapped; undefined if this region has no data key of the pool. */
  opens(pool: string): Promise<boolean | undefined>
  /**
   * Creates the data key of a new pool, with `form` for a pool that is sealed from the start. Call `write` in the transaction that
   * creates the pool; the cipher seals its first rows.
   */
  create(
    pool: string,
    keyArn: string,
    form?: DataKey['form'],
  ): Promise<{ cipher: PoolCipher; write(tx: Transaction): Promise<void> }>
  /** Wraps the data key of the pool under another KMS key; sealed values stay as they are. */
  rewrap(pool: string, keyArn: string): Promise<WrappedAgain>
  /**
   * Wraps the data key of the pool again, as that of a sealed pool. The cipher seals rows that prove it. Returns undefined when the
   * stored data key is that of a sealed pool already.
   */
  seal(pool: string): Promise<(WrappedAgain & { cipher: PoolCipher }) | undefined>
}

const VERSION = 1
/** Version of the rows of a pool whose data key is wrapped as that of a sealed pool. They have a subkey of their own. */
const SEALED_POOL_VERSION = 2
/** A data key and its subkeys. */
const CIPHER_BYTES = 4_000
/** For about a thousand rows. */
const REPORTED_BYTES = 150_000
const IV_BYTES = 12
const TAG_BYTES = 16

export function createPoolKeys({
  store,
  provider,
  clock,
  events,
}: {
  store: Store
  provider: KeyProvider
  clock: Pick<Clock, 'randomBytes'>
  events: Pick<Events, 'noted'>
}): PoolKeys {
  /** The rows that were reported recently: a row that nobody repairs is read again and again. */
  const reported = new BoundedCache<true>({ bytes: REPORTED_BYTES })
  const reportBroken = (binding: string, error: SealBrokenError): void => {
    const name = hash('sha256', binding, 'base64')
    if (reported.get(name)) return
    reported.set(name, true)
    const [pool, kind, key] = binding.split('\n')
    events.noted('row-unreadable', { pool, kind, key, why: error.message })
  }
  const ciphers = createCache<PoolCipher>(
    { store, bytesOf: () => CIPHER_BYTES },
    async (pool) => {
      const { dataKey } = await findDataKey(pool)
      return cipherOf(await unwrap(pool, dataKey), { clock, form: dataKey.form, reportBroken })
    },
    ({ kind, pool }) => (kind === 'data-key' ? pool : undefined),
  )
  provider.onChange(() => ciphers.clear())

  /** Throws KeyUnavailableError. */
  const findDataKey = async (pool: string): Promise<{ body: string; dataKey: DataKey }> => {
    const row = await store.find('data-key', { pool, key: ONLY })
    if (!row) throw new KeyUnavailableError(`the pool ${pool} has no data key`)
    return { body: row.body, dataKey: parseDataKey(pool, row.body) }
  }
  const unwrap = (pool: string, { keyArn, wrapped, form }: DataKey): Promise<Buffer> =>
    provider.unwrap(localArn(keyArn, provider.region), Buffer.from(wrapped, 'base64'), contextOf(pool, form))
  const write = (tx: Transaction, pool: string, { wrapped, ...rest }: Omit<DataKey, 'wrapped'> & { wrapped: Buffer }) =>
    tx.put('data-key', {
      pool,
      key: ONLY,
      body: JSON.stringify({ ...rest, wrapped: wrapped.toString('base64') } satisfies DataKey),
    })
  const wrapAgain = async (
    pool: string,
    { body, plain, dataKey: { keyArn, form } }: { body: string; plain: Buffer; dataKey: Omit<DataKey, 'wrapped'> },
  ): Promise<WrappedAgain> => {
    const wrapped = await provider.wrap(keyArn, plain, contextOf(pool, form))
    return {
      write: async (tx) => {
        const present = await tx.lock('data-key', { pool, key: ONLY })
        if (present?.body !== body) return false
        await write(tx, pool, { keyArn, wrapped, ...(form && { form }) })
        return true
      },
    }
  }

  return {
    get: (pool) => ciphers.get(pool),
    opens: async (pool) => {
      try {
        await ciphers.get(pool)
        return true
      } catch (error) {
        if (!(error instanceof KeyUnavailableError)) throw error
        return (await store.find('data-key', { pool, key: ONLY })) ? false : undefined
      }
    },
    create: async (pool, keyArn, form) => {
      const { plain, wrapped } = await provider.generateDataKey(keyArn, contextOf(pool, form))
      return {
        cipher: cipherOf(plain, { clock, form, reportBroken }),
        write: (tx) => write(tx, pool, { keyArn, wrapped, ...(form && { form }) }),
      }
    },
    rewrap: async (pool, keyArn) => {
      const { body, dataKey } = await findDataKey(pool)
      const plain = await unwrap(pool, dataKey)
      return wrapAgain(pool, { body, plain, dataKey: { ...dataKey, keyArn } })
    },
    seal: async (pool) => {
      const { body, dataKey } = await findDataKey(pool)
      if (dataKey.form === 'sealed') return undefined
      const plain = await unwrap(pool, dataKey)
      const keyArn = localArn(dataKey.keyArn, provider.region)
      const wrapped = await wrapAgain(pool, { body, plain, dataKey: { keyArn, form: 'sealed' } })
      return { ...wrapped, cipher: cipherOf(plain, { clock, form: 'sealed', reportBroken }) }
    },
  }
}

/** Throws KeyUnavailableError for a body that no build wrote: the pool stops, as with a key that does not unwrap. */
function parseDataKey(pool: string, body: string): DataKey {
  let parsed: Partial<DataKey> | null = null
  try {
    parsed = JSON.parse(body) as Partial<DataKey> | null
  } catch {}
  if (typeof parsed?.keyArn === 'string' && typeof parsed.wrapped === 'string') return parsed as DataKey
  throw new KeyUnavailableError(`the data key of the pool ${pool} is damaged`)
}

const contextOf = (pool: string, form: DataKey['form']): Record<string, string> => ({
  'twinpool:user-pool': pool,
  ...(form && { 'twinpool:form': form }),
})

/**
 * The ARN of a key in another region: a replica key has the id and material of its primary key, and an ARN of its own region.
 * https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html
 */
export function localArn(keyArn: string, region: string): string {
  const parts = keyArn.split(':')
  parts[3] = region
  return parts.join(':')
}

function cipherOf(
  dataKey: Buffer,
  {
    clock,
    form,
    reportBroken,
  }: {
    clock: Pick<Clock, 'randomBytes'>
    form: DataKey['form']
    /** Called for a row that does not open; other values come from clients, who may send anything. */
    reportBroken(binding: string, error: SealBrokenError): void
  },
): PoolCipher {
  let isSealed = form === 'sealed'
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
  const keyOf = (purpose: Purpose, version: number): KeyObject =>
    subkey(version === VERSION ? purpose : `${purpose}/${version}`)
  const open: PoolCipher['open'] = (purpose, sealed, binding = '') => {
    if (sealed.length < 1 + IV_BYTES + TAG_BYTES) throw new SealBrokenError()
    const version = sealed[0]
    const ofSealedPool = version === SEALED_POOL_VERSION && purpose === 'row'
    if (version !== VERSION && !ofSealedPool) throw new SealVersionError()
    const decipher = createDecipheriv('aes-256-gcm', keyOf(purpose, version), sealed.subarray(1, 1 + IV_BYTES), {
      authTagLength: TAG_BYTES,
    })
    decipher.setAAD(Buffer.from(binding))
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
    let plain: Buffer
    try {
      plain = decipher.update(sealed.subarray(1 + IV_BYTES, -TAG_BYTES))
      // GCM returns the plaintext before it has verified the tag; `final` verifies it, and throws.
      decipher.final()
    } catch {
      throw new SealBrokenError()
    }
    isSealed ||= ofSealedPool
    return plain
  }
  return {
    get isSealed() {
      return isSealed
    },
    seal: (purpose, plain, binding = '') => {
      const version = isSealed && purpose === 'row' ? SEALED_POOL_VERSION : VERSION
      const iv = clock.randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', keyOf(purpose, version), iv)
      cipher.setAAD(Buffer.from(binding))
      const body = cipher.update(plain)
      cipher.final()
      return Buffer.concat([Buffer.of(version), iv, body, cipher.getAuthTag()])
    },
    open: (purpose, sealed, binding = '') => {
      try {
        return open(purpose, sealed, binding)
      } catch (error) {
        if (purpose === 'row' && error instanceof SealBrokenError) reportBroken(binding, error)
        throw error
      }
    },
    index: (field, value) => createHmac('sha256', subkey('index')).update(`${field}\n${value}`).digest('base64url'),
    derive: (label, size) => Buffer.from(hkdfSync('sha256', subkey('derive'), '', label, size)),
  }
}
