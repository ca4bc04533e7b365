import type { ReplicaRight } from '../admission/gate.ts'
import type { Context } from '../context.ts'
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
  /** Undefined: not there yet. */
  handler: Handler<never, never> | undefined
  /** Whether this call tries or makes a password, and waits for its turn. */
  usesPassword: (input: Record<string, unknown>) => boolean
}

interface Details<Name extends OperationName> {
  usesPassword?: boolean | ((input: Input<Name>) => boolean)
}

type Maker<C> = <Name extends OperationName>(
  replica: ReplicaRight,
  handler?: Handler<Name, C>,
  details?: Details<Name>,
) => OperationRow

const rowsOf =
  <C>(caller: Caller): Maker<C> =>
  (replica, handler, { usesPassword = false } = {}) => ({
    caller,
    replica,
    handler: handler as OperationRow['handler'],
    usesPassword:
      typeof usesPassword === 'function' ? (usesPassword as OperationRow['usesPassword']) : () => usesPassword,
  })

// One constructor per kind of caller, so that the compiler holds each handler to what it will be given.
export const account = rowsOf<AccountCall>('account')
export const pool = rowsOf<PoolCall>('pool')
export const user = rowsOf<UserCall>('user')
export const client = rowsOf<ClientCall>('client')
export const token = rowsOf<TokenCall>('token')
export const session = rowsOf<SessionCall>('session')
export const feedback = rowsOf<PoolCall>('feedback')

/** For operations that try or make a password: SRP's arithmetic keeps the processor for a millisecond or more. */
export const PASSWORD = { usesPassword: true } as const
