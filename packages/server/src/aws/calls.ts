import type { Admission } from '../admission/admission.ts'
import type { Overload } from '../admission/overload.ts'
import { type Answer, dispatch, refusal } from '../cognito/dispatch.ts'
import type { Context } from '../context.ts'
import { CognitoError } from '../errors.ts'
import { dispatchKms } from '../kms/dispatch.ts'
import { dispatchTwinpool } from '../operator/operations.ts'
import type { Replication } from '../replication/replication.ts'
import { checkSignature } from './sigv4.ts'

/** A `POST /` as it came, whatever carried it. */
export interface IncomingCall {
  headers: Pick<Headers, 'get'>
  body: Buffer
  /** As it was sent, without the question mark. */
  query: string
  /** Address of the caller, as far as the region can tell. */
  address: string
}

/** What goes back; the headers are whole but for the length. */
export interface OutgoingAnswer {
  status: number
  headers: Record<string, string>
  body: string
}

export interface Faces {
  credentials: ReadonlyMap<string, string>
  anyRegionInSignature: boolean
  kms: Parameters<typeof dispatchKms>[0]
  replication: Pick<Replication, 'status' | 'poolStatus' | 'lagSeconds'>
  admission: Admission
  overload: Pick<Overload, 'lately'>
}

/** The largest body that any operation of the API takes (branding assets) is well below this. */
export const BODY_BYTES = 4 * 1024 * 1024
const CONTENT_TYPE = 'application/x-amz-json-1.1'
/** What callers say of a JSON body; nothing at all is fine too. */
const JSON_TYPES = new Set([CONTENT_TYPE, 'application/x-amz-json-1.0', 'application/json', ''])
/** So much of a message is repeated in a header. */
const HEADER_CHARACTERS = 300
const COGNITO = 'AWSCognitoIdentityProviderService.'
const KMS = 'TrentService.'
const TWINPOOL = 'TwinpoolService.'

/** Browsers call the API across origins, without cookies; see crossOrigin in routes.ts. */
export const EXPOSED = ['x-amzn-errortype', 'x-amzn-requestid', 'x-amzn-errormessage', 'x-twinpool-lag-seconds', 'date']
const EXPOSED_LIST = EXPOSED.join(',')

/** Answers a call of one of the three services. Never throws. */
export async function answerCall(context: Context, faces: Faces, incoming: IncomingCall): Promise<OutgoingAnswer> {
  const requestId = context.clock.uuid()
  const { admission } = faces
  try {
    admission.enter()
  } catch (error) {
    context.events.requested({ operation: 'any', outcome: (error as Error).name, milliseconds: 0 })
    return outgoingOf(requestId, refusal(error as CognitoError))
  }
  try {
    checkType(incoming.headers)
    const answer = await answerService(context, faces, incoming, requestId)
    const outgoing = outgoingOf(requestId, answer)
    const { pool } = answer
    if (pool?.role === 'SECONDARY') {
      const lag = faces.replication.lagSeconds(pool.topology.primary)
      if (lag !== undefined) outgoing.headers['x-twinpool-lag-seconds'] = lag.toFixed(3)
    }
    return outgoing
  } catch (error) {
    if (error instanceof CognitoError) return outgoingOf(requestId, refusal(error))
    return answerFailure(context, { operation: '/', error })
  } finally {
    admission.leave()
  }
}

function answerService(
  context: Context,
  faces: Faces,
  { headers, body, query, address }: IncomingCall,
  requestId: string,
): Promise<Answer> | Answer {
  const target = headers.get('x-amz-target') ?? ''
  const sign = (service: 'cognito-idp' | 'kms') => (): void => {
    checkSignature(
      {
        credentials: faces.credentials,
        clock: context.clock,
        region: context.region,
        anyRegion: faces.anyRegionInSignature,
        services: [service],
      },
      { method: 'POST', path: '/', query, headers, body },
    )
  }
  const operation = target.slice(target.indexOf('.') + 1)
  if (target.startsWith(COGNITO)) {
    const call = { requestId, address, userAgent: headers.get('user-agent') ?? '' }
    return dispatch(context, { operation, body, checkSignature: sign('cognito-idp'), turn: faces.admission.turn, call })
  }
  if (target.startsWith(KMS)) return dispatchKms(faces.kms, { operation, body, checkSignature: sign('kms'), requestId })
  if (target.startsWith(TWINPOOL)) {
    const face = { context, replication: faces.replication }
    return dispatchTwinpool(face, { operation, body, checkSignature: sign('cognito-idp'), requestId })
  }
  throw new CognitoError('UnknownOperationException', 'X-Amz-Target names no operation of this service.')
}

/** A refusal in the form of an answer. */
export function answerRefusal({ clock }: Pick<Context, 'clock'>, error: CognitoError): OutgoingAnswer {
  return outgoingOf(clock.uuid(), refusal(error))
}

/** Tells the operator of something that should not have been thrown; the caller learns nothing of it. */
export function answerFailure(
  { clock, events }: Pick<Context, 'clock' | 'events'>,
  { operation, error }: { operation: string; error: unknown },
): OutgoingAnswer {
  const requestId = clock.uuid()
  events.failed({ operation, error, requestId })
  return outgoingOf(requestId, refusal(new CognitoError('InternalErrorException', 'An internal error occurred.')))
}

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
