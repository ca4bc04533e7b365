/**
 * The differences between the documented examples and this service, by name, each with its reason. The list is exact: a difference
 * that is not listed fails the test, and so does a listed one that no longer exists.
 */
import type { OperationName } from '@twinpool/server/internal/cognito/shapes.generated'

export interface Differences {
  /** The example presumes this operation, which is not implemented: it is not played. */
  presumes?: OperationName
  /** Members of the input that this service refuses, the values given instead, and why. */
  input?: Record<string, { instead?: unknown; why: string }>
  /** Differences of the output, as comparison.ts names them, and why. */
  output?: Record<string, string>
}

export const differences: Record<string, Differences> = {}
