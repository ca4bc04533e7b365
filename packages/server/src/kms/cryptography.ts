import type { EncryptionContext } from '../keys/local/ciphertext-blob.ts'
import { KmsError } from './errors.ts'

/** The members that the cryptographic operations share. */
interface Wanted {
  EncryptionContext?: Record<string, string> | undefined
  EncryptionAlgorithm?: string | undefined
  GrantTokens?: string[] | undefined
  Recipient?: object | undefined
}

export const ALGORITHM = 'SYMMETRIC_DEFAULT'

/** Checks what a symmetric key of this ring can do, and answers the encryption context. */
export function readContext(input: Wanted): EncryptionContext {
  if (input.EncryptionAlgorithm !== undefined && input.EncryptionAlgorithm !== ALGORITHM) {
    throw new KmsError(
      'InvalidKeyUsageException',
      `The algorithm ${input.EncryptionAlgorithm} needs another kind of key.`,
    )
  }
  if (input.Recipient) throw new KmsError('UnsupportedOperationException', 'There are no enclaves to encrypt for.')
  if (input.GrantTokens?.length) throw new KmsError('InvalidGrantTokenException', 'There are no grants here.')
  return input.EncryptionContext ?? {}
}

/** To be called when all else is good. */
export function checkDryRun({ DryRun }: { DryRun?: boolean | undefined }): void {
  if (DryRun) {
    throw new KmsError('DryRunOperationException', 'The request would have succeeded, but the DryRun option is set.')
  }
}

/** Bytes of the data key that is wanted: exactly one of NumberOfBytes and KeySpec. */
export function readDataKeyBytes(input: { NumberOfBytes?: number | undefined; KeySpec?: string | undefined }): number {
  if ((input.NumberOfBytes === undefined) === (input.KeySpec === undefined)) {
    throw new KmsError('ValidationException', 'Please specify either number of bytes or key spec.')
  }
  return input.NumberOfBytes ?? (input.KeySpec === 'AES_128' ? 16 : 32)
}
