import { asCognitoError } from '../admission/errors.ts'
import type { Face } from '../aws/face.ts'
import { CognitoError } from '../errors.ts'
import { type OperatorContext, operations } from './operations.ts'

/** Operations of our own, for operators: signed like those of an administrator of the user pools API. */
export function createOperatorFace(operator: OperatorContext): Face {
  return {
    targetPrefix: 'TwinpoolService.',
    label: 'twinpool:',
    signingName: 'cognito-idp',
    find: (name) => {
      const handler = Object.hasOwn(operations, name) ? operations[name] : undefined
      return handler && { signed: true, run: (_call, input) => handler(operator, input) }
    },
    read: (_name, body) => {
      if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body
      throw new CognitoError('SerializationException', 'The input is not a structure.')
    },
    explain: asCognitoError,
  }
}
