import { Hono, type Context as HonoContext } from 'hono'
import { cors } from 'hono/cors'
import { type Answer, dispatch, refusal } from './cognito/dispatch.ts'
import { checkSignature } from './cognito/sigv4.ts'
import { dispatchTwinpool } from './cognito/twinpool/operations.ts'
import { checkHealth } from './console/health.ts'
import { CognitoError } from './errors.ts'
import type { Context } from './identity/context.ts'
import { dispatchKms } from './kms/dispatch.ts'
import type { Replication } from './replication/replication.ts'

/** The largest body that any operation of the API takes (branding assets) is well below this. */
const BODY_BYTES = 4 * 1024 * 1024
const CONTENT_TYPE = 'application/x-amz-json-1.1'
/** What callers say of a JSON body; nothing at all is fine too. */
const JSON_TYPES = new Set([CONTENT_TYPE, 'application/x-amz-json-1.0', 'application/json', ''])
/** So much of a message is repeated in a header. */
const HEADER_CHARACTERS = 300
const COGNITO = 'AWSCognitoIdentityProviderService.'
const KMS = 'TrentService.'
const TWINPOOL = 'TwinpoolService.'

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
  exposeHeaders: ['x-amzn-errortype', 'x-amzn-requestid', 'x-amzn-errormessage', 'x-twinpool-lag-seconds', 'date'],
  maxAge: 86_400,
})

export interface Faces {
  credentials: ReadonlyMap<string, string>
  anyRegionInSignature: boolean
  kms: Parameters<typeof dispatchKms>[0]
  replication: Pick<Replication, 'status' | 'poolStatus' | 'lagSeconds'>
  /** What other folders mount, each its own paths. */
  mounted: readonly Hono[]
}

/** The URL table. */
export function createRoutes(context: Context, faces: Faces): Hono {
  const app = new Hono()
  app.get('/health', async (c) => {
    const health = await checkHealth(context)
    return c.json(health, health.status === 'ok' ? 200 : 503, { 'cache-control': 'no-store' })
  })
  app.get('/metrics', async (c) =>
    c.body(await context.events.registry.metrics(), 200, { 'content-type': context.events.registry.contentType }),
  )
  app.use('/', crossOrigin)
  app.post('/', (c) => answerCall(context, faces, c))
  for (const part of faces.mounted) app.route('/', part)
  app.notFound((c) =>
    send(c, context.clock.uuid(), refusal(new CognitoError('UnknownOperationException', 'No such path.'))),
  )
  app.onError((error, c) => {
    const requestId = context.clock.uuid()
    context.events.failed({ operation: c.req.path, error, requestId })
    return send(c, requestId, refusal(new CognitoError('InternalErrorException', 'An internal error occurred.')))
  })
  return app
}

async function answerCall(context: Context, faces: Faces, c: HonoContext): Promise<Response> {
  const requestId = context.clock.uuid()
  const target = c.req.header('x-amz-target') ?? ''
  const body = await readBody(c.req.raw).catch((error: unknown) => {
    if (error instanceof CognitoError) return error
    return new CognitoError('SerializationException', 'The request body ended early.')
  })
  if (body instanceof CognitoError) return send(c, requestId, refusal(body))
  const sign = (service: 'cognito-idp' | 'kms') => (): void => {
    const url = new URL(c.req.url)
    checkSignature(
      {
        credentials: faces.credentials,
        clock: context.clock,
        region: context.region,
        anyRegion: faces.anyRegionInSignature,
        services: [service],
      },
      { method: 'POST', path: url.pathname, query: url.search.slice(1), headers: c.req.raw.headers, body },
    )
  }
  const operation = target.slice(target.indexOf('.') + 1)
  const call = { requestId, address: addressOf(c), userAgent: c.req.header('user-agent') ?? '' }
  const answer = target.startsWith(COGNITO)
    ? await dispatch(context, { operation, body, checkSignature: sign('cognito-idp'), call })
    : target.startsWith(KMS)
      ? await dispatchKms(faces.kms, { operation, body, checkSignature: sign('kms'), requestId })
      : target.startsWith(TWINPOOL)
        ? await dispatchTwinpool(
            { context, replication: faces.replication },
            { operation, body, checkSignature: sign('cognito-idp'), requestId },
          )
        : refusal(new CognitoError('UnknownOperationException', 'X-Amz-Target names no operation of this service.'))
  const { pool } = answer as Answer
  if (pool?.role === 'SECONDARY') {
    const lag = faces.replication.lagSeconds(pool.topology.primary)
    if (lag !== undefined) c.header('x-twinpool-lag-seconds', lag.toFixed(3))
  }
  return send(c, requestId, answer)
}

function send(c: HonoContext, requestId: string, { status, body, error }: Answer): Response {
  return c.body(body, status as 200, {
    'content-type': CONTENT_TYPE,
    'x-amzn-requestid': requestId,
    'cache-control': 'no-store',
    ...(error && { 'x-amzn-errortype': error.code, 'x-amzn-errormessage': headerText(error.message) }),
  })
}

/** Messages repeat what callers sent: text that need not be well formed, nor fit for a header. */
const headerText = (message: string): string => encodeURI(message.slice(0, HEADER_CHARACTERS).toWellFormed())

/** Throws CognitoError for what is too large or does not call itself JSON; and whatever it is that ends a connection. */
async function readBody(request: globalThis.Request): Promise<Buffer> {
  const tooLarge = (): CognitoError =>
    new CognitoError('RequestEntityTooLargeException', `A request may have ${BODY_BYTES} bytes.`)
  if (Number(request.headers.get('content-length') ?? 0) > BODY_BYTES) throw tooLarge()
  const type = (request.headers.get('content-type') ?? '').split(';', 1)[0] as string
  if (!JSON_TYPES.has(type.trim().toLowerCase())) {
    throw new CognitoError('SerializationException', `The content type of a request is ${CONTENT_TYPE}.`)
  }
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
