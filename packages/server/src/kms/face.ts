import type { Face } from '../aws/face.ts'
import { SMALL_INPUT } from '../aws/input-limits.ts'
import { AwsError } from '../errors.ts'
import { KeyRefusedError } from '../keys/local/key-record.ts'
import { StoreBusyError } from '../store/database.ts'
import { asKmsError, KmsError } from './errors.ts'
import { notImplemented, operations } from './operations.ts'
import type { OperationName } from './shapes.generated.ts'
import type { Handler, KmsContext } from './types.ts'
import { limitsOf, validateInput } from './validate.ts'

const isOperation = (name: string): name is OperationName => Object.hasOwn(operations, name)

/** The KMS operations that pools need. A region with its keys in AWS KMS has no local key ring and refuses them. */
export function createKmsFace({
  keyRing,
  ...kms
}: Omit<KmsContext, 'keyRing'> & { keyRing: KmsContext['keyRing'] | undefined }): Face {
  const refusing = (message: string) => ({
    signed: true,
    limits: SMALL_INPUT,
    run: () => Promise.reject(new KmsError('NotImplementedException', message)),
  })
  return {
    targetPrefix: 'TrentService.',
    label: 'kms:',
    signingName: 'kms',
    find: (name) => {
      if (notImplemented.has(name)) return refusing(`${name} is not implemented.`)
      if (!isOperation(name)) return undefined
      if (!keyRing) return refusing('The keys of this region are in AWS KMS: call AWS KMS instead.')
      const run = operations[name] as Handler<OperationName>
      return { signed: true, limits: limitsOf(name), run: (_call, input) => run({ ...kms, keyRing }, input) }
    },
    read: (name, body) => (keyRing && isOperation(name) ? validateInput(name, body) : body),
    explain: (thrown) => {
      if (thrown instanceof AwsError) return thrown
      if (thrown instanceof KeyRefusedError) return asKmsError(thrown)
      if (thrown instanceof StoreBusyError)
        return new KmsError('ThrottlingException', 'Rate exceeded', { cause: thrown })
      return new KmsError('KMSInternalException', 'An internal error occurred.', { cause: thrown })
    },
  }
}
