import type { AwsError } from '../errors.ts'

/** What of a request a handler may want to know, whatever the face. */
export interface Call {
  requestId: string
  /** Address of the caller, as far as the region can tell. */
  address: string
  userAgent: string
}

/** One operation of a service; `input` has passed the service's check. */
export interface Operation {
  /** Whether the call must be signed. */
  signed: boolean
  /**
   * Runs the call. `about.pool` is set as soon as the pool is known, also when the call fails afterwards. Throws in the
   * service's terms, or anything else, which the service's `explain` turns into its terms.
   */
  run(call: Call, input: never, about: About): Promise<object | undefined>
}

/** What a call turned out to be about. */
export interface About {
  pool?: { id: string; role: 'PRIMARY' | 'SECONDARY'; topology: { primary: string } }
}

/** A service in the AWS JSON 1.1 protocol: a table of operations, and the terms that its errors are told in. */
export interface Face {
  /** Of `X-Amz-Target`, with the dot. */
  targetPrefix: string
  /** Of the operation's name in metrics and logs. */
  label: string
  /** The name of the service in signatures. */
  signingName: 'cognito-idp' | 'kms'
  /** Undefined for an operation that the service does not have. */
  find(name: string): Operation | undefined
  /** Reads a parsed request body as the input of an operation. Throws AwsError. */
  read(name: string, body: unknown): unknown
  /** Turns whatever a call threw into the service's terms. */
  explain(thrown: unknown, about: About): AwsError | Promise<AwsError>
}
