/**
 * Lengths, ranges and patterns of the KMS inputs, which the JavaScript SDK does not ship. Maintained by hand from the API
 * reference (https://docs.aws.amazon.com/kms/latest/APIReference/); enum values come from the SDK.
 */
import type { Constraint, Constraints } from '../aws/shapes.ts'

const { raw } = String

const range = (min: number, max?: number): Constraint => ({ min, max })

/** `pattern` is written as in AWS's messages; it must match the whole value, in linear time. */
function text(min: number, max: number, pattern: string): Constraint {
  const compiled = new RegExp(`^(?:${pattern})$`, 'u')
  return { min, max, pattern, matches: (value) => compiled.test(value) }
}

const keyId = range(1, 2048)

export const constraints: Constraints = {
  KeyId: keyId,
  TargetKeyId: keyId,
  AliasName: text(1, 256, raw`^[a-zA-Z0-9:/_-]+$`),
  Description: range(0, 8192),
  Policy: text(1, 131_072, raw`[\u0009\u000A\u000D\u0020-\u00FF]+`),
  PolicyName: text(1, 128, raw`[\w]+`),
  CustomKeyStoreId: range(1, 64),
  XksKeyId: text(1, 128, raw`^[a-zA-Z0-9-_.]+$`),
  ReplicaRegion: text(1, 32, raw`^([a-z]+-){2,3}\d+$`),
  // The model allows more than the service: ScheduleKeyDeletion requires 7 to 30 days.
  PendingWindowInDays: range(1, 365),
  Limit: range(1, 1000),
  Marker: text(1, 1024, raw`[\u0020-\u00FF]*`),
  Plaintext: range(1, 4096),
  CiphertextBlob: range(1, 6144),
  NumberOfBytes: range(1, 1024),
  GrantTokens: range(0, 10),
  'GrantTokens[]': range(1, 8192),
  'RecipientInfo.AttestationDocument': range(1, 262_144),
  TagKey: range(1, 128),
  TagValue: range(0, 256),
}

/** The constraint of strings that have no other one: an encryption context has at most 8 KB. */
export const unconstrained = range(0, 8192)

/** The size of lists and maps that have no other constraint. */
export const unconstrainedSize = range(0, 200)

/** Secret members that the SDK does not mark. */
export const sensitiveMembers = ['EncryptionContext', 'GrantTokens']
