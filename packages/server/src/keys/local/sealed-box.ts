import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { Clock } from '../../clock.ts'

const IV_BYTES = 12
const TAG_BYTES = 16

/** AES-256-GCM with a random nonce: nonce, ciphertext, tag. `bound` is authenticated but not included. */
export function sealBox(key: Buffer, clock: Pick<Clock, 'randomBytes'>, plain: Buffer, bound: string): Buffer {
  const iv = clock.randomBytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  cipher.setAAD(Buffer.from(bound))
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Returns undefined when the box was sealed under another key, is bound to something else, or was altered. */
export function openBox(key: Buffer, box: Buffer, bound: string): Buffer | undefined {
  if (box.length < IV_BYTES + TAG_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(bound))
  decipher.setAuthTag(box.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(box.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()])
  } catch {
    return undefined
  }
}
