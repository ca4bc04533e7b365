import { readKeyId } from '../key-id.ts'
import type { Handler } from '../types.ts'

export const CancelKeyDeletion: Handler<'CancelKeyDeletion'> = async ({ keyRing }, input) => {
  const id = readKeyId(keyRing, input.KeyId)
  await keyRing.cancelDeletion(id)
  return { KeyId: keyRing.keyArn(id) }
}
