import type { ReplicaRight } from '../admission/gate.ts'
import type { Context } from '../context.ts'
import type { Pool } from '../directory/pool.ts'
import type { CognitoError } from '../errors.ts'
import type { AccountCall, Caller, ClientCall, PoolCall, SessionCall, TokenCall, UserCall } from './callers.ts'
import type { OperationName } from './shapes.generated.ts'
import type { Input, Output } from './types.ts'

export type Handler<Name extends OperationName, C> = (
  context: Context,
  call: C,
  input: Input<Name>,
) => Promise<Output<Name>>

export interface OperationRow {
  caller: Caller
  replica: ReplicaRight
  /** Undefined: the operation is not implemented. */
  handler: Handler<never, never> | undefined
  /** Whether this call verifies or sets a password, and so waits for a password turn (admission/admission.ts). */
  usesPassword: (input: Record<string, unknown>) => boolean
  /** Whether this call may send a message to an address. Limited by the caller's address (admission/caller-limits.ts). */
  sendsMessage: (input: Record<string, unknown>, pool: Pool) => boolean
  /** Whether this call tries a code. Failures of calls that use a password or a code are limited by the caller's address. */
  usesCode: boolean
  /** Whether a refusal of the call is a refused sign-in. Refreshes are included. */
  signsIn: boolean
  /** The error for an unknown client, where the model of the operation lacks ResourceNotFoundException. */
  unknownClient?: () => CognitoError
}

interface RowOptions<Name extends OperationName> {
  usesPassword?: boolean | ((input: Input<Name>) => boolean)
  sendsMessage?: boolean | ((input: Input<Name>, pool: Pool) => boolean)
  usesCode?: boolean
  signsIn?: boolean
  unknownClient?: () => CognitoError
}

type RowConstructor<C> = <Name extends OperationName>(
  replica: ReplicaRight,
  handler?: Handler<Name, C>,
  options?: RowOptions<Name>,
) => OperationRow

const rowsOf =
  <C>(caller: Caller): RowConstructor<C> =>
  (
    replica,
    handler,
    { usesPassword = false, sendsMessage = false, usesCode = false, signsIn = false, unknownClient } = {},
  ) => ({
    caller,
    replica,
    handler: handler as OperationRow['handler'],
    usesPassword:
      typeof usesPassword === 'function' ? (usesPassword as OperationRow['usesPassword']) : () => usesPassword,
    sendsMessage:
      typeof sendsMessage === 'function' ? (sendsMessage as OperationRow['sendsMessage']) : () => sendsMessage,
    usesCode,
    signsIn,
    ...(unknownClient && { unknownClient }),
  })

// One constructor per kind of caller, so that the compiler checks the call type of each handler.
export const account = rowsOf<AccountCall>('account')
export const pool = rowsOf<PoolCall>('pool')
export const user = rowsOf<UserCall>('user')
export const client = rowsOf<ClientCall>('client')
export const token = rowsOf<TokenCall>('token')
export const session = rowsOf<SessionCall>('session')
export const feedback = rowsOf<PoolCall>('feedback')

/** For operations that verify or set a password: the SRP arithmetic takes a millisecond or more of CPU time. */
export const PASSWORD = { usesPassword: true } as const
/** For operations that try a code, and for those that send a message. */
export const CODE = { usesCode: true } as const
export const MESSAGE = { sendsMessage: true } as const
