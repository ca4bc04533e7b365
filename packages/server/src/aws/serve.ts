import type { Clock } from '../clock.ts'
import { type AwsError, CognitoError } from '../errors.ts'
import type { Events } from '../events/events.ts'
import { encode } from './encode.ts'
import type { Call, CallScope, Face } from './face.ts'
import { parseJson } from './json.ts'

/** The response to a call, without its headers. */
export interface ServiceResponse {
  status: number
  /** JSON text; '' for the operations that return nothing. */
  body: string
  error?: { code: string; message: string }
  scope: CallScope
}

export interface ServiceRequest {
  /** The name of the operation: the target without its prefix. */
  operation: string
  /** The body as sent. */
  body: Buffer
  /** Throws AwsError. */
  checkSignature(): { accessKeyId: string }
  call: Call
}

/**
 * Serves a call of any face: operation -> signature -> body -> input -> handler -> response. Never throws. An unexpected error
 * is reported to the operator, and the caller gets the service's internal error.
 */
export async function serve(
  { clock, events }: { clock: Pick<Clock, 'monotonic'>; events: Pick<Events, 'requested' | 'failed'> },
  face: Face,
  { operation: name, body, checkSignature, call }: ServiceRequest,
): Promise<ServiceResponse> {
  const started = clock.monotonic()
  const scope: CallScope = {}
  const operation = face.find(name)
  let outcome = 'ok'
  let isRefused = false
  let accessKeyId: string | undefined
  try {
    if (!operation) throw new CognitoError('UnknownOperationException', `Unknown operation ${quote(name)}`)
    if (operation.signed) accessKeyId = checkSignature().accessKeyId
    const input = face.read(name, parseJson(body, operation.limits))
    const output = await operation.run(call, input as never, scope)
    return { status: 200, body: encode(output), scope }
  } catch (thrown) {
    const error = await face.explain(thrown, scope)
    outcome = error.code
    isRefused = error.status < 500
    if (error.status >= 500 && error.status !== NOT_IMPLEMENTED) {
      events.failed({ operation: face.label + name, error: thrown, requestId: call.requestId })
    }
    return { ...errorResponse(error), scope }
  } finally {
    events.requested({
      operation: operation ? face.label + name : 'unknown',
      pool: scope.pool?.id,
      outcome,
      milliseconds: clock.monotonic() - started,
      caller: operation?.signed ? { accessKeyId } : undefined,
      refusedSignIn: operation?.signsIn && isRefused ? { client: scope.client } : undefined,
    })
  }
}

const NOT_IMPLEMENTED = 501

/** Maximum characters of an error message: some of them list what is wrong with each part of an input. */
const MESSAGE_CHARACTERS = 32_768

/** The response that carries an error. */
export function errorResponse({
  code,
  message: full,
  status,
}: Pick<AwsError, 'code' | 'message' | 'status'>): ServiceResponse {
  const message = full.length > MESSAGE_CHARACTERS ? `${full.slice(0, MESSAGE_CHARACTERS).toWellFormed()}...` : full
  return { status, body: JSON.stringify({ __type: code, message }), error: { code, message }, scope: {} }
}

const quote = (text: string): string => text.slice(0, 100).replace(/[^\w.-]/g, '?')
