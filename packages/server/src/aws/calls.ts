import type { Admission } from '../admission/admission.ts'
import type { Clock } from '../clock.ts'
import { type AwsError, CognitoError } from '../errors.ts'
import type { Events } from '../events/events.ts'
import type { CallHandler, OutgoingAnswer } from '../http/call.ts'
import type { Face } from './face.ts'
import { type Answer, refusal, serve } from './serve.ts'
import { checkSignature, type SignatureSettings } from './sigv4.ts'

const CONTENT_TYPE = 'application/x-amz-json-1.1'
/** What callers send as the type of a JSON body; nothing at all is accepted too. */
const JSON_TYPES = new Set([CONTENT_TYPE, 'application/x-amz-json-1.0', 'application/json', ''])
/** At most this much of a message is repeated in a header. */
const HEADER_CHARACTERS = 300

/** Headers that browsers may show to a page of another origin; see routes.ts. */
export const EXPOSED = ['x-amzn-errortype', 'x-amzn-requestid', 'x-amzn-errormessage', 'x-twinpool-lag-seconds', 'date']
const EXPOSED_LIST = EXPOSED.join(',')

/** The calls of all faces that a region has. */
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
  /** How far this region is behind a peer; undefined where nothing is known. */
  lagSeconds(peer: string): number | undefined
  clock: Pick<Clock, 'now' | 'monotonic' | 'uuid'>
  events: Pick<Events, 'requested' | 'failed'>
}): CallHandler {
  const byTarget = faces.map((face) => ({
    face,
    settings: { ...signatures, clock, services: [face.signingName] },
  }))
  const refuse = (error: Refused): OutgoingAnswer => outgoingOf(clock.uuid(), refusal(error))
  const fail: CallHandler['fail'] = ({ operation, error }) => {
    const requestId = clock.uuid()
    events.failed({ operation, error, requestId })
    return outgoingOf(requestId, refusal(new CognitoError('InternalErrorException', 'An internal error occurred.')))
  }

  return {
    refuse,
    fail,
    answer: async (incoming) => {
      const requestId = clock.uuid()
      const { headers, body, query, address } = incoming
      try {
        admission.enter()
      } catch (error) {
        events.requested({ operation: 'any', outcome: (error as Error).name, milliseconds: 0 })
        return outgoingOf(requestId, refusal(error as AwsError))
      }
      try {
        checkType(headers)
        const target = headers.get('x-amz-target') ?? ''
        const found = byTarget.find(({ face }) => target.startsWith(face.targetPrefix))
        if (!found) {
          throw new CognitoError('UnknownOperationException', 'X-Amz-Target names no operation of this face.')
        }
        const { face, settings } = found
        const answer = await serve({ clock, events }, face, {
          operation: target.slice(face.targetPrefix.length),
          body,
          checkSignature: () => checkSignature(settings, { method: 'POST', path: '/', query, headers, body }),
          call: { requestId, address, userAgent: headers.get('user-agent') ?? '' },
        })
        const outgoing = outgoingOf(requestId, answer)
        const { pool } = answer.about
        if (pool?.role === 'SECONDARY') {
          const lag = lagSeconds(pool.topology.primary)
          if (lag !== undefined) outgoing.headers['x-twinpool-lag-seconds'] = lag.toFixed(3)
        }
        return outgoing
      } catch (error) {
        if (error instanceof CognitoError) return outgoingOf(requestId, refusal(error))
        return fail({ operation: '/', error })
      } finally {
        admission.leave()
      }
    },
  }
}

type Refused = Parameters<typeof refusal>[0]

function outgoingOf(requestId: string, { status, body, error }: Answer): OutgoingAnswer {
  const headers: Record<string, string> = {
    'content-type': CONTENT_TYPE,
    'x-amzn-requestid': requestId,
    'cache-control': 'no-store',
    'access-control-allow-origin': '*',
    'access-control-expose-headers': EXPOSED_LIST,
  }
  if (error) {
    headers['x-amzn-errortype'] = error.code
    headers['x-amzn-errormessage'] = headerText(error.message)
  }
  return { status, headers, body }
}

/** Messages repeat what callers sent: text that need not be well formed, nor fit for a header. */
const headerText = (message: string): string => encodeURI(message.slice(0, HEADER_CHARACTERS).toWellFormed())

function checkType(headers: Pick<Headers, 'get'>): void {
  const type = (headers.get('content-type') ?? '').split(';', 1)[0] as string
  if (!JSON_TYPES.has(type) && !JSON_TYPES.has(type.trim().toLowerCase())) {
    throw new CognitoError('SerializationException', `The content type of a request is ${CONTENT_TYPE}.`)
  }
}
