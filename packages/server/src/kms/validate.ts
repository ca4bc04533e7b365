import { model, validateShape } from '../aws/shapes.ts'
import { constraints, sensitiveMembers } from './constraints.ts'
import { KmsError } from './errors.ts'
import { enums, type OperationName, operations, structures } from './shapes.generated.ts'
import type { Input } from './types.ts'

const shapes = model({ structures, enums, constraints, sensitiveMembers })

/** Reads a parsed body as the input of an operation. Throws SerializationException or ValidationException. */
export function validateInput<Name extends OperationName>(operation: Name, input: unknown): Input<Name> {
  const result = validateShape(shapes, operations[operation].input, input)
  switch (result.kind) {
    case 'valid':
      return result.value as Input<Name>
    case 'malformed':
      throw new KmsError('SerializationException', result.message)
    case 'invalid':
      throw new KmsError('ValidationException', result.message)
  }
}
