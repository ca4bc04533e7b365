import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import type { Clock } from '../clock.ts'

/**
 * Seals and opens under the data keys of one pool (AES-256-GCM, one subkey per purpose by HKDF, RFC 5869). A value opens
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

/**
 * The value has a version that this build does not know (a newer build sealed it, or a much older one), or a data key that the pool
 * does not have. It counts as expired.
 */
export class SealVersionError extends SealBrokenError {
  /** The number of the data key that the pool does not have. */
  readonly dataKey: number | undefined

  constructor(message = 'the sealed value has an unknown version', dataKey?: number) {
    super(message)
    this.name = 'SealVersionError'
    this.dataKey = dataKey
  }
}

const VERSION = 1
/** Version of the rows of a pool whose data key is wrapped as that of a sealed pool. They have a subkey of their own. */
const SEALED_POOL_VERSION = 2
/** Version of values sealed under a newer data key, whose number follows in two bytes. Only sealed pools have one. */
const NUMBERED_VERSION = 3
const NUMBERED_HEAD_BYTES = 3
const IV_BYTES = 12
const TAG_BYTES = 16

/** The data keys of a pool in the clear. */
export interface PlainDataKeys {
  /** The data key that the pool was created with. Index columns and derived values depend on it, so they never change. */
  first: Buffer
  /** Later ones by number, from 1. */
  newer?: ReadonlyMap<number, Buffer>
  /** The number of the data key that seals; 0: the first. */
  sealing?: number
}

export function cipherOf(
  { first, newer = new Map(), sealing = 0 }: PlainDataKeys,
  {
    clock,
    isSealed: isKnownToBeSealed,
    countSeal,
    reportBroken,
  }: {
    clock: Pick<Clock, 'randomBytes'>
    isSealed: boolean
    /** Called for each sealed value. */
    countSeal(): void
    /** Called for a row that does not open; other values come from clients, who may send anything. */
    reportBroken(binding: string, error: SealBrokenError): void
  },
): PoolCipher {
  let isSealed = isKnownToBeSealed
  // Key objects, because node:crypto needs four times as long with a key given as bytes.
  const subkeys = new Map<string, KeyObject>()
  const subkey = (label: string, number = 0): KeyObject => {
    const name = `${number}/${label}`
    let key = subkeys.get(name)
    if (!key) {
      const dataKey = number === 0 ? first : (newer.get(number) as Buffer)
      key = createSecretKey(Buffer.from(hkdfSync('sha256', dataKey, '', `twinpool/${label}`, 32)))
      subkeys.set(name, key)
    }
    return key
  }
  const keyOf = (purpose: Purpose, version: number): KeyObject =>
    subkey(version === VERSION ? purpose : `${purpose}/${version}`)
  const headOf = (purpose: Purpose): { head: Buffer; key: KeyObject } => {
    if (sealing > 0) {
      const head = Buffer.of(NUMBERED_VERSION, sealing >> 8, sealing & 0xff)
      return { head, key: subkey(`${purpose}/${NUMBERED_VERSION}`, sealing) }
    }
    const version = isSealed && purpose === 'row' ? SEALED_POOL_VERSION : VERSION
    return { head: Buffer.of(version), key: keyOf(purpose, version) }
  }
  const open: PoolCipher['open'] = (purpose, sealed, binding = '') => {
    if (sealed.length < 1 + IV_BYTES + TAG_BYTES) throw new SealBrokenError()
    const version = sealed[0]
    const isNumbered = version === NUMBERED_VERSION
    const ofSealedPool = isNumbered || (version === SEALED_POOL_VERSION && purpose === 'row')
    if (version !== VERSION && !ofSealedPool) throw new SealVersionError()
    const ivAt = isNumbered ? NUMBERED_HEAD_BYTES : 1
    if (sealed.length < ivAt + IV_BYTES + TAG_BYTES) throw new SealBrokenError()
    const number = isNumbered ? sealed.readUInt16BE(1) : 0
    if (isNumbered && !newer.has(number)) throw new SealVersionError('the sealed value has an unknown data key', number)
    const key = isNumbered ? subkey(`${purpose}/${NUMBERED_VERSION}`, number) : keyOf(purpose, version)
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(ivAt, ivAt + IV_BYTES), {
      authTagLength: TAG_BYTES,
    })
    decipher.setAAD(Buffer.from(binding))
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
    let plain: Buffer
    try {
      plain = decipher.update(sealed.subarray(ivAt + IV_BYTES, -TAG_BYTES))
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
      countSeal()
      const { head, key } = headOf(purpose)
      const iv = clock.randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, iv)
      cipher.setAAD(Buffer.from(binding))
      const body = cipher.update(plain)
      cipher.final()
      return Buffer.concat([head, iv, body, cipher.getAuthTag()])
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
