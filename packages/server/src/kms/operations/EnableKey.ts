import { readKeyId } from '../key-id.ts'
import type { Handler } from '../types.ts'

export const EnableKey: Handler<'EnableKey'> = async ({ keyRing }, input) => {
  await keyRing.enable(readKeyId(keyRing, input.KeyId))
  return undefined
}
