import { Hono, type Context as HonoContext } from 'hono'
import { cors } from 'hono/cors'
import { CognitoError } from '../errors.ts'
import { addressOf } from '../http/address.ts'
import { readBody } from '../http/body.ts'
import { BODY_BYTES, type CallHandler, type OutgoingResponse } from '../http/call.ts'
import { EXPOSED } from './calls.ts'

// Browsers call the API from other origins, without cookies. https://docs.aws.amazon.com/cognito/latest/developerguide/
const crossOrigin = cors({
  origin: '*',
  allowMethods: ['POST', 'GET', 'OPTIONS'],
  allowHeaders: [
    'content-type',
    'x-amz-target',
    'x-amz-user-agent',
    'cache-control',
    'amz-sdk-invocation-id',
    'amz-sdk-request',
    'authorization',
    'x-amz-date',
    'x-amz-security-token',
    'x-amz-content-sha256',
    // Added by tracing: https://www.w3.org/TR/trace-context/, https://www.w3.org/TR/baggage/, AWS X-Ray
    'traceparent',
    'tracestate',
    'baggage',
    'x-amzn-trace-id',
  ],
  exposeHeaders: EXPOSED,
  maxAge: 86_400,
})

/** `POST /`, for calls that the listener does not pass to the handler directly (http/listener.ts). */
export function createApiRoutes(calls: CallHandler): Hono {
  const app = new Hono()
  app.use('/', crossOrigin)
  app.post('/', async (c) => {
    const body = await readBody(c.req.raw)
    if (body === 'too-large') return send(c, calls.refuse(tooLarge()))
    if (body === 'ended-early') {
      return send(c, calls.refuse(new CognitoError('SerializationException', 'The request body ended early.')))
    }
    const query = new URL(c.req.url).search.slice(1)
    return send(c, await calls.handle({ headers: c.req.raw.headers, body, query, address: addressOf(c) }))
  })
  return app
}

/** Responses to unknown paths and to errors that no handler caught, in the form of the API's errors. */
export const apiFallback = (calls: CallHandler) => ({
  notFound: (c: HonoContext) => send(c, calls.refuse(new CognitoError('UnknownOperationException', 'No such path.'))),
  failed: (error: unknown, c: HonoContext) => send(c, calls.fail({ operation: c.req.path, error })),
})

const tooLarge = (): CognitoError =>
  new CognitoError('RequestEntityTooLargeException', `The request body exceeds the limit of ${BODY_BYTES} bytes.`)

const send = (c: HonoContext, { status, headers, body }: OutgoingResponse): Response =>
  c.body(body, status as 200, headers)
