import { ALGORITHM, checkDryRun, readContext } from '../cryptography.ts'
import { KmsError } from '../errors.ts'
import { resolveKeyId } from '../key-id.ts'
import { materialIdOf } from '../key-metadata.ts'
import type { Handler } from '../types.ts'

export const Decrypt: Handler<'Decrypt'> = async ({ keyRing }, input) => {
  const context = readContext(input)
  if (input.DryRunModifiers?.length) {
    throw new KmsError(
      'UnsupportedOperationException',
      'DryRunModifiers are not supported: a dry run requires the ciphertext.',
    )
  }
  if (!input.CiphertextBlob) {
    throw new KmsError(
      'ValidationException',
      "Value at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
    )
  }
  const expected = input.KeyId === undefined ? undefined : await resolveKeyId(keyRing, input.KeyId)
  const { key, plain } = await keyRing.decrypt(input.CiphertextBlob, context, expected)
  checkDryRun(input)
  return {
    KeyId: keyRing.keyArn(key.id),
    Plaintext: plain,
    EncryptionAlgorithm: ALGORITHM,
    KeyMaterialId: materialIdOf(key.id),
  }
}
