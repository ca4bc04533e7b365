import { type AwsError, CognitoError } from '../errors.ts'
import { type Model, validateShape } from './shapes.ts'

/**
 * Creates a function that checks a parsed body against a service model and returns the input: unknown members are dropped,
 * nulls count as absent, blobs are Buffers.
 *
 * The function throws `SerializationException` if a JSON type is wrong, and `invalid('<n> validation errors detected: ...')` if
 * a constraint is violated. Messages do not repeat secret values.
 */
export function createInputReader<Name extends string>({
  shapes,
  operations,
  invalid,
}: {
  shapes: Model
  operations: Readonly<Record<Name, { input: string }>>
  invalid(message: string): AwsError
}): (operation: Name, input: unknown) => unknown {
  return (operation, input) => {
    const result = validateShape(shapes, operations[operation].input, input)
    switch (result.kind) {
      case 'valid':
        return result.value
      case 'malformed':
        throw new CognitoError('SerializationException', result.message)
      case 'invalid':
        throw invalid(result.message)
    }
  }
}
