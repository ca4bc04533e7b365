import { readKeyId } from '../key-id.ts'
import { describeKey } from '../key-metadata.ts'
import { checkPolicy, defaultPolicy } from '../key-policy.ts'
import { checkTags } from '../key-tags.ts'
import type { Handler } from '../types.ts'

/** The replica shares only the key material with the primary; its description, policy and tags come from this call. */
export const ReplicateKey: Handler<'ReplicateKey'> = async ({ keyRing, accountId }, input) => {
  const id = readKeyId(keyRing, input.KeyId)
  if (input.Policy !== undefined) {
    checkPolicy(input.Policy, { accountId, bypassLockoutCheck: input.BypassPolicyLockoutSafetyCheck ?? false })
  }
  const record = await keyRing.replicate(id, input.ReplicaRegion, {
    description: input.Description ?? '',
    policy: input.Policy ?? null,
    tags: checkTags(input.Tags),
  })
  return {
    ReplicaKeyMetadata: describeKey(keyRing, record, input.ReplicaRegion),
    ReplicaPolicy: record.policy ?? defaultPolicy(accountId),
    ReplicaTags: record.tags,
  }
}
