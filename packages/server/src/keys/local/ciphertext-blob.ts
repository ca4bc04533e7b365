import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import type { Clock } from '../../clock.ts'

/**
 * The ciphertext that Encrypt and GenerateDataKey return. It names its key and the version of the key's material, so that
 * Decrypt needs neither. It names no region, so that every region with a multi-Region key can decrypt it.
 *
 *   byte 0       format, 1
 *   byte 1       form of the key id: 0 a UUID, 1 `mrk-` and 32 hex digits
 *   bytes 2-17   key id
 *   byte 18      version of the material
 *   bytes 19-50  salt: each blob has its own key and nonce (HKDF), so that no nonce is used twice with one key
 *   rest         AES-256-GCM ciphertext and its tag
 *
 * The bytes before the ciphertext and the encryption context are authenticated.
 */
export interface BlobAddress {
  keyId: string
  version: number
}

export type EncryptionContext = Readonly<Record<string, string>>

const FORMAT = 1
const ID_AT = 2
const VERSION_AT = 18
const SALT_AT = 19
const BODY_AT = 51
const TAG_BYTES = 16

export function sealBlob(
  { keyId, version }: BlobAddress,
  material: Buffer,
  clock: Pick<Clock, 'randomBytes'>,
  { plain, context }: { plain: Buffer; context: EncryptionContext },
): Buffer {
  const multiRegion = keyId.startsWith('mrk-')
  const id = Buffer.from(keyId.replace(/^mrk-/, '').replaceAll('-', ''), 'hex')
  const head = Buffer.concat([
    Buffer.of(FORMAT, multiRegion ? 1 : 0),
    id,
    Buffer.of(version),
    clock.randomBytes(BODY_AT - SALT_AT),
  ])
  const { key, iv } = keyOf(material, head)
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  cipher.setAAD(Buffer.concat([head, canonical(context)]))
  return Buffer.concat([head, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** The key that sealed a blob; undefined if the bytes are not such a blob. */
export function addressOf(blob: Buffer): BlobAddress | undefined {
  if (blob.length < BODY_AT + TAG_BYTES || blob[0] !== FORMAT) return undefined
  const hex = blob.toString('hex', ID_AT, VERSION_AT)
  const version = blob.readUInt8(VERSION_AT)
  if (blob[1] === 1) return { keyId: `mrk-${hex}`, version }
  if (blob[1] !== 0) return undefined
  const keyId = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  return { keyId, version }
}

/** Returns undefined when the blob was altered, or sealed under other material or with another context. */
export function openBlob(material: Buffer, blob: Buffer, context: EncryptionContext): Buffer | undefined {
  const head = blob.subarray(0, BODY_AT)
  const { key, iv } = keyOf(material, head)
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.concat([head, canonical(context)]))
  decipher.setAuthTag(blob.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(blob.subarray(BODY_AT, -TAG_BYTES)), decipher.final()])
  } catch {
    return undefined
  }
}

function keyOf(material: Buffer, head: Buffer): { key: Buffer; iv: Buffer } {
  const derived = Buffer.from(hkdfSync('sha256', material, head.subarray(SALT_AT, BODY_AT), 'twinpool/kms-blob', 44))
  return { key: derived.subarray(0, 32), iv: derived.subarray(32) }
}

/** The order of the pairs has no meaning. https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html */
function canonical(context: EncryptionContext): Buffer {
  const pairs = Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))
  return Buffer.from(JSON.stringify(pairs))
}
