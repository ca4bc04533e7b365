import { readKeyId } from '../key-id.ts'
import type { Handler } from '../types.ts'

export const DisableKey: Handler<'DisableKey'> = async ({ keyRing }, input) => {
  await keyRing.disable(readKeyId(keyRing, input.KeyId))
  return undefined
}
