import { readKeyId } from '../key-id.ts'
import { checkPolicyName, defaultPolicy, POLICY_NAME } from '../key-policy.ts'
import type { Handler } from '../types.ts'

export const GetKeyPolicy: Handler<'GetKeyPolicy'> = async ({ keyRing, accountId }, input) => {
  const { policy } = await keyRing.get(readKeyId(keyRing, input.KeyId))
  checkPolicyName(input.PolicyName)
  return { Policy: policy ?? defaultPolicy(accountId), PolicyName: POLICY_NAME }
}
