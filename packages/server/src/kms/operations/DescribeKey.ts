import { resolveKeyId } from '../key-id.ts'
import { describeKey } from '../key-metadata.ts'
import type { Handler } from '../types.ts'

export const DescribeKey: Handler<'DescribeKey'> = async ({ keyRing, region }, input) => {
  const record = await keyRing.get(await resolveKeyId(keyRing, input.KeyId))
  return { KeyMetadata: describeKey(keyRing, record, region) }
}
