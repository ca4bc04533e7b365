import { isWithPassword } from '../admission/admission.ts'
import { checkGate, operationNotEnabled } from '../admission/gate.ts'
import { encode } from '../aws/encode.ts'
import type { Context } from '../context.ts'
import type { Pool } from '../directory/pool.ts'
import { CognitoError } from '../errors.ts'
import { KeyUnavailableError } from '../keys/provider.ts'
import { CodeDeliveryFailedError } from '../messages/messenger.ts'
import { StoreBusyError } from '../store/database.ts'
import { NotPrimaryError } from '../store/write.ts'
import { type Call, readers } from './callers.ts'
import { operations } from './operations.ts'
import type { OperationRow } from './rows.ts'
import { type OperationName, operationNames } from './shapes.generated.ts'
import { validateInput } from './validate.ts'

export interface Answer {
  status: number
  /** JSON text; '' for the operations that answer with an empty body. */
  body: string
  error?: { code: string; message: string }
  /** The pool that the call was about, as this region has it. */
  pool?: Pick<Pool, 'role' | 'topology'> | undefined
}

export interface Request {
  operation: string
  /** The body as it was sent. */
  body: Buffer
  /** Checks the signature of the request. Throws in the protocol's terms. */
  checkSignature(): void
  /** Waits for its turn, where it tries or makes a password. Throws TooManyRequestsException. */
  turn(): Promise<void> | undefined
  call: Call
}

const known: ReadonlySet<string> = new Set(operationNames)
const isOperation = (name: string): name is OperationName => known.has(name)

/**
 * The life of a call: name -> row -> signature -> input -> pool -> gate -> caller -> handler -> answer. Never throws; what is
 * not a refusal in the protocol's terms is told to the operator, and the caller gets InternalErrorException.
 */
export async function dispatch(context: Context, request: Request): Promise<Answer> {
  const started = context.clock.monotonic()
  let pool: Pool | undefined
  let outcome = 'ok'
  try {
    if (!isOperation(request.operation))
      throw new CognitoError('UnknownOperationException', `Unknown operation ${quote(request.operation)}`)
    const row: OperationRow = operations[request.operation]
    if (row.caller === 'account' || row.caller === 'pool') request.checkSignature()
    const input = validateInput(request.operation, parse(request.body)) as Record<string, unknown>
    const resolved = await readers[row.caller](context, input)
    pool = resolved.pool
    if (resolved.pool) checkGate(resolved.pool, row.replica)
    if (!row.handler) throw new CognitoError('NotImplementedException', `${request.operation} is not implemented yet.`)
    const call = { ...request.call, ...(await resolved.complete()) }
    if (isWithPassword(request.operation, input)) await request.turn()
    const output = await row.handler(context as never, call as never, input as never)
    return { status: 200, body: encode(output as object | undefined), pool }
  } catch (caught) {
    const thrown = await causeOf(context, pool, caught)
    const error = inProtocol(thrown)
    outcome = error.code
    if (error.status >= 500 && error.code !== 'NotImplementedException') {
      context.events.failed({ operation: request.operation, error: thrown, requestId: request.call.requestId })
    }
    return { ...refusal(error), pool }
  } finally {
    context.events.requested({
      operation: isOperation(request.operation) ? request.operation : 'unknown',
      pool: pool?.id,
      outcome,
      milliseconds: context.clock.monotonic() - started,
    })
  }
}

/** What breaks because its pool was deleted while the call was under way is a call about a pool that does not exist. */
async function causeOf({ pools }: Pick<Context, 'pools'>, pool: Pool | undefined, thrown: unknown): Promise<unknown> {
  if (!pool || thrown instanceof CognitoError) return thrown
  return pools.get(pool.id).then(
    () => thrown,
    (error: unknown) => (error instanceof CognitoError ? error : thrown),
  )
}

/** The answer that tells an error. */
export function refusal({ code, message, status }: Pick<CognitoError, 'code' | 'message' | 'status'>): Answer {
  return { status, body: JSON.stringify({ __type: code, message }), error: { code, message } }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

export function parse(body: Buffer): unknown {
  if (body.length === 0) return {}
  try {
    return JSON.parse(decoder.decode(body))
  } catch {
    throw new CognitoError('SerializationException', 'The request body is not JSON.')
  }
}

/** Whatever was thrown, as a refusal in the protocol's terms. */
export function inProtocol(error: unknown): CognitoError {
  if (error instanceof CognitoError) return error
  if (error instanceof NotPrimaryError) return operationNotEnabled()
  if (error instanceof CodeDeliveryFailedError)
    return new CognitoError('CodeDeliveryFailureException', 'The code could not be delivered.', { cause: error })
  if (error instanceof KeyUnavailableError)
    return new CognitoError('InternalErrorException', 'The KMS key of the user pool cannot be used.', { cause: error })
  if (error instanceof StoreBusyError)
    return new CognitoError('TooManyRequestsException', 'Rate exceeded', { cause: error })
  return new CognitoError('InternalErrorException', 'An internal error occurred.', { cause: error })
}

const quote = (text: string): string => text.slice(0, 100).replace(/[^\w.-]/g, '?')
