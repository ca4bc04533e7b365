import type { EncryptionContext } from '../keys/local/ciphertext-blob.ts'
import { KmsError } from './errors.ts'

/** The members that the cryptographic operations share. */
interface CryptographyInput {
  EncryptionContext?: Record<string, string> | undefined
  EncryptionAlgorithm?: string | undefined
  GrantTokens?: string[] | undefined
  Recipient?: object | undefined
}

export const ALGORITHM = 'SYMMETRIC_DEFAULT'

/** Checks the members that a symmetric key of this key ring does not support, and returns the encryption context. */
export function readContext(input: CryptographyInput): EncryptionContext {
  if (input.EncryptionAlgorithm !== undefined && input.EncryptionAlgorithm !== ALGORITHM) {
    throw new KmsError(
      'InvalidKeyUsageException',
      `The algorithm ${input.EncryptionAlgorithm} needs another kind of key.`,
    )
  }
  if (input.Recipient)
    throw new KmsError('UnsupportedOperationException', 'Recipient is not supported: there are no enclaves.')
  if (input.GrantTokens?.length) throw new KmsError('InvalidGrantTokenException', 'Grants are not supported.')
  return input.EncryptionContext ?? {}
}

/** Call it after all other checks have passed. Throws DryRunOperationException. */
export function checkDryRun({ DryRun }: { DryRun?: boolean | undefined }): void {
  if (DryRun) {
    throw new KmsError('DryRunOperationException', 'The request would have succeeded, but the DryRun option is set.')
  }
}

/** Size of the requested data key in bytes: exactly one of NumberOfBytes and KeySpec is required. */
export function readDataKeyBytes(input: { NumberOfBytes?: number | undefined; KeySpec?: string | undefined }): number {
  if ((input.NumberOfBytes === undefined) === (input.KeySpec === undefined)) {
    throw new KmsError('ValidationException', 'Please specify either number of bytes or key spec.')
  }
  return input.NumberOfBytes ?? (input.KeySpec === 'AES_128' ? 16 : 32)
}
