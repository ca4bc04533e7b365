import { ALGORITHM, checkDryRun, readContext } from '../cryptography.ts'
import { resolveKeyId } from '../key-id.ts'
import type { Handler } from '../types.ts'

export const Encrypt: Handler<'Encrypt'> = async ({ keyRing }, input) => {
  const context = readContext(input)
  const id = await resolveKeyId(keyRing, input.KeyId)
  const blob = await keyRing.encrypt(id, input.Plaintext, context)
  checkDryRun(input)
  return { CiphertextBlob: blob, KeyId: keyRing.keyArn(id), EncryptionAlgorithm: ALGORITHM }
}
