import { KmsError } from '../errors.ts'
import { describeKey } from '../key-metadata.ts'
import { checkPolicy } from '../key-policy.ts'
import { checkTags } from '../key-tags.ts'
import type { Handler, Input } from '../types.ts'

const SPEC = 'SYMMETRIC_DEFAULT'

/** Creates only symmetric encryption keys with generated material: user pools accept no other keys. */
export const CreateKey: Handler<'CreateKey'> = async ({ keyRing, region, accountId }, input) => {
  checkKind(input)
  if (input.Policy !== undefined) {
    checkPolicy(input.Policy, { accountId, bypassLockoutCheck: input.BypassPolicyLockoutSafetyCheck ?? false })
  }
  const record = await keyRing.create({
    description: input.Description ?? '',
    policy: input.Policy ?? null,
    tags: checkTags(input.Tags),
    multiRegion: input.MultiRegion ?? false,
  })
  return { KeyMetadata: describeKey(keyRing, record, region) }
}

function checkKind(input: Input<'CreateKey'>): void {
  const { KeySpec, CustomerMasterKeySpec, KeyUsage = 'ENCRYPT_DECRYPT', Origin = 'AWS_KMS' } = input
  if (KeySpec !== undefined && CustomerMasterKeySpec !== undefined) {
    throw new KmsError(
      'ValidationException',
      'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.',
    )
  }
  const spec = KeySpec ?? CustomerMasterKeySpec ?? SPEC
  if (spec !== SPEC) throw new KmsError('UnsupportedOperationException', `KeySpec ${spec} is not supported.`)
  if (KeyUsage !== 'ENCRYPT_DECRYPT') {
    throw new KmsError('ValidationException', `KeyUsage ${KeyUsage} is not compatible with KeySpec ${SPEC}`)
  }
  if (Origin !== 'AWS_KMS' || input.CustomKeyStoreId !== undefined || input.XksKeyId !== undefined) {
    throw new KmsError(
      'UnsupportedOperationException',
      'Only keys with the origin AWS_KMS and without a custom key store are supported.',
    )
  }
}
