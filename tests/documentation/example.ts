import type { Member } from '@twinpool/server/internal/aws/shapes'
import { type OperationName, operations, structures } from '@twinpool/server/internal/cognito/shapes.generated'

/** A documented call of an operation. */
export interface Example<Operation extends string = OperationName> {
  /** `SDK` or `CLI`, the operation, and the title. */
  name: string
  operation: Operation
  input: Input
  /** Undefined: none is documented. */
  output: unknown
}

export type Input = Record<string, unknown>

/** The members of the input of an operation. */
export const inputMembers = (operation: OperationName): Readonly<Record<string, Member>> =>
  structures[operations[operation].input] ?? {}
