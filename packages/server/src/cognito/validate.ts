import { type InputLimits, inputLimits } from '../aws/input-limits.ts'
import { model } from '../aws/shapes.ts'
import { createInputReader } from '../aws/validate.ts'
import { invalidParameter } from '../errors.ts'
import { constraints, enumAdditions, sensitiveMembers, unconstrained, unconstrainedSize } from './constraints.ts'
import { enums, type OperationName, operations, structures } from './shapes.generated.ts'
import type { Input } from './types.ts'

const tables = { structures, enums, enumAdditions, constraints, unconstrained, unconstrainedSize, sensitiveMembers }
const shapes = model(tables)

/** Checks a parsed request body and returns the operation's input. Throws SerializationException, InvalidParameterException. */
export const validateInput = createInputReader({
  shapes,
  operations,
  invalid: invalidParameter,
}) as <Name extends OperationName>(operation: Name, input: unknown) => Input<Name>

/** The bounds of an operation's body. */
export const limitsOf = (operation: OperationName, { signed }: { signed: boolean }): InputLimits =>
  inputLimits(shapes, operations[operation].input, { signed })
