import { Hono, type Context as HonoContext } from 'hono'
import { cors } from 'hono/cors'
import { CognitoError } from '../errors.ts'
import { readBody } from '../http/body.ts'
import type { BodyBudget } from '../http/body-budget.ts'
import type { CallHandler, OutgoingResponse } from '../http/call.ts'
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

/** `POST /`, for calls that do not come from the listener (http/listener.ts), and the CORS preflight of all calls. */
export function createApiRoutes(calls: CallHandler, budget: BodyBudget): Hono {
  const app = new Hono()
  app.use('/', crossOrigin)
  app.post('/', async (c) => {
    const { headers } = c.req.raw
    const body = await readBody(c.req.raw, { limit: calls.bodyLimit(headers), budget })
    if (typeof body === 'string') return send(c, calls.refuseBody(body, { headers, address: '' }))
    const query = new URL(c.req.url).search.slice(1)
    const response = await calls.handle({ headers, body: body.bytes, query, address: '' })
    body.release()
    return send(c, response)
  })
  return app
}

/** Responses to unknown paths and to errors that no handler caught, in the form of the API's errors. */
export const apiFallback = (calls: CallHandler) => ({
  notFound: (c: HonoContext) => send(c, calls.refuse(new CognitoError('UnknownOperationException', 'No such path.'))),
  failed: (error: unknown, c: HonoContext) => send(c, calls.fail({ operation: c.req.path, error })),
})

const send = (c: HonoContext, { status, headers, body }: OutgoingResponse): Response =>
  c.body(body, status as 200, headers)
