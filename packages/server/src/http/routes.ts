import { Hono, type Context as HonoContext } from 'hono'
import { cors } from 'hono/cors'
import {
  answerCall,
  answerFailure,
  answerRefusal,
  BODY_BYTES,
  EXPOSED,
  type Faces,
  type IncomingCall,
  type OutgoingAnswer,
} from '../aws/calls.ts'
import { checkHealth } from '../console/health.ts'
import type { Context } from '../context.ts'
import { CognitoError } from '../errors.ts'

// https://docs.aws.amazon.com/cognito/latest/developerguide/ : browsers call the API across origins, without cookies.
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
  ],
  exposeHeaders: EXPOSED,
  maxAge: 86_400,
})

export interface Routes {
  /** Answers one request, without a port. */
  fetch(request: Request, bindings?: object): Response | Promise<Response>
  /** Answers one call, a `POST /` whose body has been read. Never throws. */
  answer(call: IncomingCall): Promise<OutgoingAnswer>
}

/** The URL table. `mounted`: what other folders mount, each its own paths. */
export function createRoutes(context: Context, { mounted, ...faces }: Faces & { mounted: readonly Hono[] }): Routes {
  const app = new Hono()
  const answer = (call: IncomingCall): Promise<OutgoingAnswer> => answerCall(context, faces, call)
  app.get('/health', async (c) => {
    const health = await checkHealth(context, faces.overload.lately())
    return c.json(health, health.status === 'ok' ? 200 : 503, { 'cache-control': 'no-store' })
  })
  app.get('/metrics', async (c) => {
    const { checks } = await checkHealth(context, undefined)
    for (const [check, { ok }] of Object.entries(checks)) context.events.healthy({ check, ok })
    return c.body(await context.events.registry.metrics(), 200, { 'content-type': context.events.registry.contentType })
  })
  app.use('/', crossOrigin)
  app.post('/', async (c) => {
    const body = await readBody(c.req.raw).catch((error: unknown) => {
      if (error instanceof CognitoError) return error
      return new CognitoError('SerializationException', 'The request body ended early.')
    })
    if (body instanceof CognitoError) return send(c, answerRefusal(context, body))
    const query = new URL(c.req.url).search.slice(1)
    return send(c, await answer({ headers: c.req.raw.headers, body, query, address: addressOf(c) }))
  })
  for (const part of mounted) app.route('/', part)
  app.notFound((c) => send(c, answerRefusal(context, new CognitoError('UnknownOperationException', 'No such path.'))))
  app.onError((error, c) => send(c, answerFailure(context, { operation: c.req.path, error })))
  return { fetch: app.fetch, answer }
}

const send = (c: HonoContext, { status, headers, body }: OutgoingAnswer): Response =>
  c.body(body, status as 200, headers)

/** Throws CognitoError for what is too large; and whatever it is that ends a connection. */
async function readBody(request: globalThis.Request): Promise<Buffer> {
  const tooLarge = (): CognitoError =>
    new CognitoError('RequestEntityTooLargeException', `A request may have ${BODY_BYTES} bytes.`)
  if (Number(request.headers.get('content-length') ?? 0) > BODY_BYTES) throw tooLarge()
  if (!request.body) return Buffer.alloc(0)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.length
    if (size > BODY_BYTES) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function addressOf(c: HonoContext): string {
  const incoming = (c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined)?.incoming
  return incoming?.socket?.remoteAddress ?? ''
}
