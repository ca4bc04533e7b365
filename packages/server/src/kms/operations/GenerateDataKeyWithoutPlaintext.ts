import type { Handler } from '../types.ts'
import { GenerateDataKey } from './GenerateDataKey.ts'

export const GenerateDataKeyWithoutPlaintext: Handler<'GenerateDataKeyWithoutPlaintext'> = async (kms, input) => {
  const { Plaintext, ...sealed } = await GenerateDataKey(kms, input)
  return sealed
}
