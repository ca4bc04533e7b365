import type { AwsError } from '../errors.ts'
import type { InputLimits } from './input-limits.ts'

/** The parts of a request that handlers of any face may need. */
export interface Call {
  requestId: string
  /** Address of the caller, as far as the region knows it. */
  address: string
  userAgent: string
}

/** One operation of a service; `input` has passed the service's check. */
export interface Operation {
  /** Whether the call must be signed. */
  signed: boolean
  limits: InputLimits
  /** Whether the call is part of a sign-in, or refreshes tokens: a refusal is a refused sign-in. */
  signsIn?: boolean
  /**
   * Runs the call and returns its output. Sets `scope.pool` as soon as the pool is known, so that it is set even if the call
   * fails afterwards. May throw any error; the face's `explain` converts it.
   */
  run(call: Call, input: never, scope: CallScope): Promise<object | undefined>
}

/** The pool that a call concerns, if it is known, and the client in its input; filled in by `Operation.run`. */
export interface CallScope {
  client?: string
  pool?: { id: string; role: 'PRIMARY' | 'SECONDARY'; topology: { primary: string } }
}

/** A service in the AWS JSON 1.1 protocol: a table of operations, and the conversion of errors to the service's own. */
export interface Face {
  /** Prefix of `X-Amz-Target`, with the dot. */
  targetPrefix: string
  /** Prefix of operation names in metrics and logs. */
  label: string
  /** The name of the service in signatures. */
  signingName: 'cognito-idp' | 'kms'
  /** Undefined for an operation that the service does not have. */
  find(name: string): Operation | undefined
  /** Checks a parsed request body and returns the input of the operation. Throws AwsError. */
  read(name: string, body: unknown): unknown
  /** Converts any thrown value to an error of the service. */
  explain(thrown: unknown, scope: CallScope): AwsError | Promise<AwsError>
}
