import type { Handler } from '../types.ts'
import { GenerateDataKey } from './GenerateDataKey.ts'

export const GenerateDataKeyWithoutPlaintext: Handler<'GenerateDataKeyWithoutPlaintext'> = async (kms, input) => {
  const { CiphertextBlob, KeyId } = await GenerateDataKey(kms, input)
  return { CiphertextBlob, KeyId }
}
