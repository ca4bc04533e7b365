import type { Clock } from '../clock.ts'
import { type AwsError, CognitoError } from '../errors.ts'
import type { Events } from '../events/events.ts'
import { encode } from './encode.ts'
import type { Call, CallScope, Face } from './face.ts'

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
  let accessKeyId: string | undefined
  try {
    if (!operation) throw new CognitoError('UnknownOperationException', `Unknown operation ${quote(name)}`)
    if (operation.signed) accessKeyId = checkSignature().accessKeyId
    const input = face.read(name, parseJson(body))
    const output = await operation.run(call, input as never, scope)
    return { status: 200, body: encode(output), scope }
  } catch (thrown) {
    const error = await face.explain(thrown, scope)
    outcome = error.code
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
    })
  }
}

const NOT_IMPLEMENTED = 501

/** The response that carries an error. */
export function errorResponse({
  code,
  message,
  status,
}: Pick<AwsError, 'code' | 'message' | 'status'>): ServiceResponse {
  return { status, body: JSON.stringify({ __type: code, message }), error: { code, message }, scope: {} }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return {}
  try {
    return JSON.parse(decoder.decode(body))
  } catch {
    throw new CognitoError('SerializationException', 'The request body is not JSON.')
  }
}

const quote = (text: string): string => text.slice(0, 100).replace(/[^\w.-]/g, '?')
