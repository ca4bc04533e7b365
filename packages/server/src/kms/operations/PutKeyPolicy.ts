import { readKeyId } from '../key-id.ts'
import { checkPolicy, checkPolicyName } from '../key-policy.ts'
import type { Handler } from '../types.ts'

export const PutKeyPolicy: Handler<'PutKeyPolicy'> = async ({ keyRing, accountId }, input) => {
  const id = readKeyId(keyRing, input.KeyId)
  checkPolicyName(input.PolicyName)
  checkPolicy(input.Policy, { accountId, bypassLockoutCheck: input.BypassPolicyLockoutSafetyCheck ?? false })
  await keyRing.putPolicy(id, input.Policy)
  return undefined
}
