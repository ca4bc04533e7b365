import { model } from '../aws/shapes.ts'
import { createInputReader } from '../aws/validate.ts'
import { constraints, sensitiveMembers } from './constraints.ts'
import { KmsError } from './errors.ts'
import { enums, operations, structures } from './shapes.generated.ts'

/** Checks a parsed request body and returns the operation's input. Throws SerializationException, ValidationException. */
export const validateInput = createInputReader({
  shapes: model({ structures, enums, constraints, sensitiveMembers }),
  operations,
  invalid: (message) => new KmsError('ValidationException', message),
})
