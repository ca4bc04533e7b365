import { AwsError } from '../errors.ts'
import type { KeyRefusal, KeyRefusedError } from '../keys/local/key-record.ts'

/**
 * The errors of the KMS API that Twinpool returns, and the HTTP status of each: 400, whatever the SDK's model says, except
 * for failures of the service itself. https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html
 */
const STATUS = {
  AlreadyExistsException: 400,
  DisabledException: 400,
  DryRunOperationException: 400,
  IncorrectKeyException: 400,
  InvalidAliasNameException: 400,
  InvalidArnException: 400,
  InvalidCiphertextException: 400,
  InvalidGrantTokenException: 400,
  InvalidKeyUsageException: 400,
  InvalidMarkerException: 400,
  KMSInternalException: 500,
  KMSInvalidStateException: 400,
  LimitExceededException: 400,
  MalformedPolicyDocumentException: 400,
  NotFoundException: 400,
  NotImplementedException: 501,
  TagException: 400,
  ThrottlingException: 400,
  UnsupportedOperationException: 400,
  ValidationException: 400,
} as const

export type KmsErrorCode = keyof typeof STATUS

/** An error of the KMS API. The message goes to the caller. */
export class KmsError extends AwsError {
  declare readonly code: KmsErrorCode

  constructor(code: KmsErrorCode, message: string, { cause }: { cause?: unknown } = {}) {
    super(code, { message, status: STATUS[code], cause })
  }
}

type ErrorRow = readonly [KmsErrorCode, message: (subject: string) => string]

// biome-ignore format: a table
const errors: Record<KeyRefusal, ErrorRow> = {
  'key-not-found':                ['NotFoundException',             (key) => `Key '${key}' does not exist`],
  'key-disabled':                 ['DisabledException',             (key) => `${key} is disabled.`],
  'key-pending-deletion':         ['KMSInvalidStateException',      (key) => `${key} is pending deletion.`],
  'key-pending-replica-deletion': ['KMSInvalidStateException',      (key) => `${key} is pending replica deletion.`],
  'key-not-pending-deletion':     ['KMSInvalidStateException',      (key) => `${key} is not pending deletion.`],
  'key-not-multi-region-primary': ['UnsupportedOperationException', (key) => `${key} is not a multi-Region primary key.`],
  'key-limit':                    ['LimitExceededException',        () => 'This region has reached its maximum number of keys.'],
  'region-same':                  ['AlreadyExistsException',        (region) => `The primary key is in ${region}.`],
  'region-has-replica':           ['AlreadyExistsException',        (region) => `The key has a replica in ${region}.`],
  'region-unknown':               ['UnsupportedOperationException', (region) => `The region ${region} is not available.`],
  'region-unreachable':           ['KMSInternalException',          (region) => `The region ${region} cannot be reached. Try again later.`],
  'region-refused':               ['KMSInternalException',          (region) => `The region ${region} did not accept the key.`],
  'alias-exists':                 ['AlreadyExistsException',        (alias) => `An alias with the name ${alias} already exists`],
  'alias-limit':                  ['LimitExceededException',        (key) => `${key} has the maximum number of aliases.`],
  'ciphertext-invalid':           ['InvalidCiphertextException',    () => 'The ciphertext cannot be decrypted.'],
  'ciphertext-of-another-key':    ['IncorrectKeyException',         () => 'The key ID in the request does not identify a CMK that can perform this operation.'],
}

/** Converts a refusal of the key ring to an error of the KMS API. */
export function asKmsError(error: KeyRefusedError): KmsError {
  const [code, message] = errors[error.refusal]
  return new KmsError(code, message(error.subject), { cause: error })
}
