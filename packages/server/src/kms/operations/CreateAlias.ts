import { KmsError } from '../errors.ts'
import { readKeyId } from '../key-id.ts'
import type { Handler } from '../types.ts'

const DOCUMENTATION = 'https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html'

export const CreateAlias: Handler<'CreateAlias'> = async ({ keyRing }, input) => {
  const name = input.AliasName
  if (!name.startsWith('alias/')) {
    throw new KmsError('ValidationException', `Alias must start with the prefix "alias/". Please see ${DOCUMENTATION}`)
  }
  if (!/^alias\/[\w/-]+$/.test(name)) {
    throw new KmsError('InvalidAliasNameException', `${name} contains invalid characters for an alias`)
  }
  if (name.startsWith('alias/aws/')) {
    throw new KmsError('InvalidAliasNameException', 'Aliases that begin with "alias/aws/" are reserved.')
  }
  await keyRing.createAlias(name, readKeyId(keyRing, input.TargetKeyId))
  return undefined
}
