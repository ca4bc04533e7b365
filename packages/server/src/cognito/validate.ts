import { model, validateShape } from '../aws/shapes.ts'
import { CognitoError } from '../errors.ts'
import { constraints, enumAdditions, sensitiveMembers, unconstrained } from './constraints.ts'
import { enums, type OperationName, operations, structures } from './shapes.generated.ts'
import type { Input } from './types.ts'

const shapes = model({ structures, enums, enumAdditions, constraints, unconstrained, sensitiveMembers })

/**
 * Reads a parsed request body as the input of an operation: unknown members dropped, nulls absent, blobs as Buffers.
 *
 * Throws `SerializationException` when a JSON type is wrong, and `InvalidParameterException` with AWS's
 * `<n> validation errors detected: ...` when a constraint is not met. Values that are secret are not repeated.
 */
export function validateInput<Name extends OperationName>(operation: Name, input: unknown): Input<Name> {
  const result = validateShape(shapes, operations[operation].input, input)
  switch (result.kind) {
    case 'valid':
      return result.value as Input<Name>
    case 'malformed':
      throw new CognitoError('SerializationException', result.message)
    case 'invalid':
      throw new CognitoError('InvalidParameterException', result.message)
  }
}
