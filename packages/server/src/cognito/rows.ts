import type { ReplicaRight } from '../admission/gate.ts'
import type { Context } from '../context.ts'
import type { AccountCall, Caller, ClientCall, PoolCall, SessionCall, TokenCall } from './callers.ts'
import type { OperationName } from './shapes.generated.ts'
import type { Input, Output } from './types.ts'

/** What an operation changes: nothing or configuration, token state, or the user directory. */
export type Effect = 'none' | 'config' | 'tokens' | 'write'

export type Handler<Name extends OperationName, C> = (
  context: Context,
  call: C,
  input: Input<Name>,
) => Promise<Output<Name>>

export interface OperationRow {
  caller: Caller
  effect: Effect
  replica: ReplicaRight
  /** Undefined: not there yet. */
  handler: Handler<never, never> | undefined
}

type Maker<C> = <Name extends OperationName>(
  replica: ReplicaRight,
  effect: Effect,
  handler?: Handler<Name, C>,
) => OperationRow

const rowsOf =
  <C>(caller: Caller): Maker<C> =>
  (replica, effect, handler) => ({ caller, effect, replica, handler: handler as OperationRow['handler'] })

// One constructor per kind of caller, so that the compiler holds each handler to what it will be given.
export const account = rowsOf<AccountCall>('account')
export const pool = rowsOf<PoolCall>('pool')
export const client = rowsOf<ClientCall>('client')
export const token = rowsOf<TokenCall>('token')
export const session = rowsOf<SessionCall>('session')
export const feedback = rowsOf<PoolCall>('feedback')
