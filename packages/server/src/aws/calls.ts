import type { Admission } from '../admission/admission.ts'
import type { Clock } from '../clock.ts'
import { type AwsError, CognitoError } from '../errors.ts'
import type { Events } from '../events/events.ts'
import { currentRequest, inRequest } from '../events/request-scope.ts'
import type { CallHandler, IncomingCall, OutgoingResponse } from '../http/call.ts'
import type { Face } from './face.ts'
import { SMALL_INPUT } from './input-limits.ts'
import { errorResponse, type ServiceResponse, serve } from './serve.ts'
import { checkSignatureHead, createSignatureCheck, type SignatureSettings } from './sigv4.ts'

const CONTENT_TYPE = 'application/x-amz-json-1.1'
/** Accepted content types; a missing one is accepted too. */
const JSON_TYPES = new Set([CONTENT_TYPE, 'application/x-amz-json-1.0', 'application/json', ''])
/** Maximum characters of an error message that are repeated in a header. */
const HEADER_CHARACTERS = 300

/** Response headers that a page of another origin may read; see routes.ts. */
export const EXPOSED = ['x-amzn-errortype', 'x-amzn-requestid', 'x-amzn-errormessage', 'x-twinpool-lag-seconds', 'date']
const EXPOSED_LIST = EXPOSED.join(',')

/** Handles the calls of all faces of a region: finds the face by its target prefix and builds the HTTP response. */
export function createCalls({
  faces,
  signatures,
  admission,
  lagSeconds,
  clock,
  events,
}: {
  faces: readonly Face[]
  signatures: Omit<SignatureSettings, 'clock' | 'services'>
  admission: Pick<Admission, 'enter' | 'leave'>
  /** Replication lag of this region behind a peer; undefined if unknown. */
  lagSeconds(peer: string): number | undefined
  clock: Pick<Clock, 'now' | 'monotonic' | 'uuid'>
  events: Pick<Events, 'requested' | 'failed'>
}): CallHandler {
  const byTarget = faces.map((face) => {
    const settings = { ...signatures, clock, services: [face.signingName] }
    return { face, settings, checkSignature: createSignatureCheck(settings) }
  })
  const findFace = (target: string) => byTarget.find(({ face }) => target.startsWith(face.targetPrefix))
  const findOperation = (headers: IncomingCall['headers']) => {
    const target = headers.get('x-amz-target') ?? ''
    const found = findFace(target)
    const name = target.slice(found?.face.targetPrefix.length)
    const operation = found?.face.find(name)
    return found && operation && { ...found, operation, label: found.face.label + name }
  }
  /** Reports a call that is refused before it is served. */
  const noteRefused = (headers: IncomingCall['headers'], outcome: string): void => {
    const found = findOperation(headers)
    events.requested({
      operation: found?.label ?? 'unknown',
      outcome,
      milliseconds: 0,
      caller: found?.operation.signed ? { accessKeyId: undefined } : undefined,
      refusedSignIn: found?.operation.signsIn ? { client: undefined } : undefined,
    })
  }
  /** The limit of a body, and the reason if the call can be refused without its body. */
  const limitOf = (headers: IncomingCall['headers']): { bytes: number; refusal?: CognitoError } => {
    const found = findOperation(headers)
    if (!found) return SMALL_INPUT
    const { operation } = found
    if (!operation.signed || operation.limits.bytes <= SMALL_INPUT.bytes) return operation.limits
    try {
      checkSignatureHead(found.settings, headers)
      return operation.limits
    } catch (error) {
      if (!(error instanceof CognitoError)) throw error
      return { bytes: SMALL_INPUT.bytes, refusal: error }
    }
  }
  const presentId = (): string => currentRequest()?.requestId ?? clock.uuid()
  const refuse: CallHandler['refuse'] = (error) => outgoingOf(presentId(), errorResponse(error))
  const fail: CallHandler['fail'] = ({ operation, error }) => {
    const requestId = presentId()
    events.failed({ operation, error, requestId })
    const internalError = new CognitoError('InternalErrorException', 'An internal error occurred.')
    return outgoingOf(requestId, errorResponse(internalError))
  }

  const handler: CallHandler = {
    bodyLimit: (headers) => limitOf(headers).bytes,
    refuse,
    refuseBody: (reason, { headers }) => {
      const error = bodyError(reason, limitOf(headers))
      noteRefused(headers, error.code)
      return refuse(error)
    },
    fail,
    handle: async (incoming) => {
      const requestId = presentId()
      const { headers, body, query, address } = incoming
      try {
        admission.enter()
      } catch (error) {
        noteRefused(headers, (error as AwsError).code)
        return outgoingOf(requestId, errorResponse(error as AwsError))
      }
      try {
        checkType(headers)
        const target = headers.get('x-amz-target') ?? ''
        const found = findFace(target)
        if (!found) {
          throw new CognitoError('UnknownOperationException', 'X-Amz-Target does not name a service of this endpoint.')
        }
        const { face, checkSignature } = found
        const response = await serve({ clock, events }, face, {
          operation: target.slice(face.targetPrefix.length),
          body,
          checkSignature: () => checkSignature({ method: 'POST', path: '/', query, headers, body }),
          call: { requestId, address, userAgent: headers.get('user-agent') ?? '' },
        })
        const outgoing = outgoingOf(requestId, response)
        const { pool } = response.scope
        if (pool?.role === 'SECONDARY') {
          const lag = lagSeconds(pool.topology.primary)
          if (lag !== undefined) outgoing.headers['x-twinpool-lag-seconds'] = lag.toFixed(3)
        }
        return outgoing
      } catch (error) {
        if (error instanceof CognitoError) {
          noteRefused(headers, error.code)
          return outgoingOf(requestId, errorResponse(error))
        }
        return fail({ operation: '/', error })
      } finally {
        admission.leave()
      }
    },
  }
  return {
    ...handler,
    handle: (incoming) =>
      inRequest({ requestId: clock.uuid(), address: incoming.address }, () => handler.handle(incoming)),
    refuseBody: (reason, call) =>
      inRequest({ requestId: clock.uuid(), address: call.address }, () => handler.refuseBody(reason, call)),
  }
}

function bodyError(
  reason: Parameters<CallHandler['refuseBody']>[0],
  { bytes, refusal }: { bytes: number; refusal?: CognitoError },
): CognitoError {
  switch (reason) {
    case 'too-large':
      return (
        refusal ??
        new CognitoError('RequestEntityTooLargeException', `The request body exceeds the limit of ${bytes} bytes.`)
      )
    case 'busy':
      return new CognitoError('TooManyRequestsException', 'Rate exceeded')
    case 'ended-early':
      return new CognitoError('SerializationException', 'The request body ended early.')
  }
}

function outgoingOf(requestId: string, { status, body, error }: ServiceResponse): OutgoingResponse {
  const headers: Record<string, string> = {
    'content-type': CONTENT_TYPE,
    'x-amzn-requestid': requestId,
    'cache-control': 'no-store',
    'access-control-allow-origin': '*',
    'access-control-expose-headers': EXPOSED_LIST,
  }
  if (error) {
    headers['x-amzn-errortype'] = `${error.code}:`
    headers['x-amzn-errormessage'] = headerText(error.message)
  }
  return { status, headers, body }
}

/** Plain text. Messages repeat caller input, which may have characters that are not allowed in a header. */
const headerText = (message: string): string =>
  message
    .slice(0, HEADER_CHARACTERS)
    .replace(/\s+/g, ' ')
    .replace(/[^\x20-\x7e]/gu, '?')
    .trim()

function checkType(headers: Pick<Headers, 'get'>): void {
  const type = (headers.get('content-type') ?? '').split(';', 1)[0] as string
  if (!JSON_TYPES.has(type) && !JSON_TYPES.has(type.trim().toLowerCase())) {
    throw new CognitoError('SerializationException', `The content type of a request must be ${CONTENT_TYPE}.`)
  }
}
