import { checkDryRun, readContext, readDataKeyBytes } from '../cryptography.ts'
import { resolveKeyId } from '../key-id.ts'
import { materialIdOf } from '../key-metadata.ts'
import type { Handler } from '../types.ts'

export const GenerateDataKey: Handler<'GenerateDataKey'> = async ({ keyRing, clock }, input) => {
  const context = readContext(input)
  const plain = clock.randomBytes(readDataKeyBytes(input))
  const id = await resolveKeyId(keyRing, input.KeyId)
  const blob = await keyRing.encrypt(id, plain, context)
  checkDryRun(input)
  return { CiphertextBlob: blob, Plaintext: plain, KeyId: keyRing.keyArn(id), KeyMaterialId: materialIdOf(id) }
}
