import { type InputLimits, inputLimits } from '../aws/input-limits.ts'
import { model } from '../aws/shapes.ts'
import { createInputReader } from '../aws/validate.ts'
import { constraints, sensitiveMembers, unconstrained, unconstrainedSize } from './constraints.ts'
import { KmsError } from './errors.ts'
import { enums, type OperationName, operations, structures } from './shapes.generated.ts'

const shapes = model({ structures, enums, constraints, unconstrained, unconstrainedSize, sensitiveMembers })

/** Checks a parsed request body and returns the operation's input. Throws SerializationException, ValidationException. */
export const validateInput = createInputReader({
  shapes,
  operations,
  invalid: (message) => new KmsError('ValidationException', message),
})

/** The bounds of an operation's body. */
export const limitsOf = (operation: OperationName): InputLimits =>
  inputLimits(shapes, operations[operation].input, { signed: true })
