import { model } from '../aws/shapes.ts'
import { createInputReader } from '../aws/validate.ts'
import { invalidParameter } from '../errors.ts'
import { constraints, enumAdditions, sensitiveMembers, unconstrained } from './constraints.ts'
import { enums, type OperationName, operations, structures } from './shapes.generated.ts'
import type { Input } from './types.ts'

/** Checks a parsed request body and returns the operation's input. Throws SerializationException, InvalidParameterException. */
export const validateInput = createInputReader({
  shapes: model({ structures, enums, enumAdditions, constraints, unconstrained, sensitiveMembers }),
  operations,
  invalid: invalidParameter,
}) as <Name extends OperationName>(operation: Name, input: unknown) => Input<Name>
