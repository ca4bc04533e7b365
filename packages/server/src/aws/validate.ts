import { type AwsError, CognitoError } from '../errors.ts'
import { type Model, validateShape } from './shapes.ts'

/**
 * A reader of inputs against a service model: unknown members are dropped, nulls are absent, blobs are Buffers.
 *
 * The reader throws `SerializationException` when a JSON type is wrong, and the error that `invalid` makes of
 * `<n> validation errors detected: ...` when a constraint is not met. Values that are secret are not repeated.
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
