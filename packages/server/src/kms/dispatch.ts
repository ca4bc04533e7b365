import { CognitoError } from '../errors.ts'
import { KeyRefusedError } from '../keys/local/key-record.ts'
import { inKmsTerms, KmsError } from './errors.ts'
import { notImplemented, operations } from './operations.ts'
import type { OperationName } from './shapes.generated.ts'
import type { Handler, KmsContext } from './types.ts'
import { validateInput } from './validate.ts'

export interface KmsRequest {
  /** The target without its prefix `TrentService.`. */
  operation: string
  /** The body as it was sent. */
  body: Buffer
  /** Checks the signature of the request. Throws CognitoError. */
  checkSignature(): void
  requestId: string
}

/** A region whose keys AWS KMS keeps has no ring of its own. */
export type KmsFace = Omit<KmsContext, 'keyRing'> & { keyRing?: KmsContext['keyRing'] | undefined }

export interface KmsAnswer {
  status: number
  /** JSON text; '' for the operations that answer with an empty body. */
  body: string
  error?: { code: string; message: string }
}

const isOperation = (name: string): name is OperationName => Object.hasOwn(operations, name)

/**
 * The life of a call: name -> signature -> input -> handler -> answer. Never throws; what is not a refusal in the protocol's
 * terms is told to the operator, and the caller gets KMSInternalException.
 */
export async function dispatchKms(face: KmsFace, request: KmsRequest): Promise<KmsAnswer> {
  const { operation, requestId } = request
  const { keyRing } = face
  const started = face.clock.monotonic()
  const known = isOperation(operation) || notImplemented.has(operation)
  let outcome = 'ok'
  try {
    if (!known) throw new KmsError('UnknownOperationException', 'AWS KMS has no such operation.')
    request.checkSignature()
    if (!isOperation(operation)) throw new KmsError('NotImplementedException', `${operation} is not implemented.`)
    if (!keyRing) throw new KmsError('NotImplementedException', 'AWS KMS keeps the keys of this region: ask it.')
    const input = validateInput(operation, parse(request.body))
    const output = await (operations[operation] as Handler<OperationName>)({ ...face, keyRing }, input as never)
    return { status: 200, body: output === undefined ? '' : JSON.stringify(output, wireForm) }
  } catch (thrown) {
    const error = inProtocol(thrown)
    outcome = error.code
    if (error.status === 500) face.events.failed({ operation: `kms:${operation}`, error: thrown, requestId })
    const { code, message, status } = error
    return { status, body: JSON.stringify({ __type: code, message }), error: { code, message } }
  } finally {
    const milliseconds = face.clock.monotonic() - started
    face.events.requested({ operation: known ? `kms:${operation}` : 'unknown', outcome, milliseconds })
  }
}

function parse(body: Buffer): unknown {
  if (body.length === 0) return {}
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new KmsError('SerializationException', 'The request body is not JSON.')
  }
}

function inProtocol(error: unknown): KmsError | CognitoError {
  if (error instanceof KmsError) return error
  if (error instanceof KeyRefusedError) return inKmsTerms(error)
  // What the check of signatures throws is called the same by every AWS service.
  if (error instanceof CognitoError) return error
  return new KmsError('KMSInternalException', 'An internal error occurred.', { cause: error })
}

/** Dates as epoch seconds, bytes as base64. https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html */
function wireForm(this: Record<string, unknown>, name: string, value: unknown): unknown {
  // Date.prototype.toJSON and Buffer.prototype.toJSON run before the replacer does.
  const raw = this[name]
  if (raw instanceof Date) return raw.getTime() / 1000
  if (raw instanceof Uint8Array) return Buffer.from(raw).toString('base64')
  return value
}
