import { asCognitoError } from '../admission/errors.ts'
import type { Face } from '../aws/face.ts'
import { SMALL_INPUT } from '../aws/input-limits.ts'
import { CognitoError } from '../errors.ts'
import { type OperatorContext, operations } from './operations.ts'

/**
 * Operations for operators of Twinpool: AWS JSON 1.1 under the target prefix `TwinpoolService.`, signed with the same credentials
 * and service name as administrators' calls of the user pools API. `operations.ts` has one entry per operation; the figures
 * come from `replication/`.
 */
export function createOperatorFace(operator: OperatorContext): Face {
  return {
    targetPrefix: 'TwinpoolService.',
    label: 'twinpool:',
    signingName: 'cognito-idp',
    find: (name) => {
      const handler = Object.hasOwn(operations, name) ? operations[name] : undefined
      return handler && { signed: true, limits: SMALL_INPUT, run: (_call, input) => handler(operator, input) }
    },
    read: (_name, body) => {
      if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body
      throw new CognitoError('SerializationException', 'The input must be a JSON object.')
    },
    explain: asCognitoError,
  }
}
