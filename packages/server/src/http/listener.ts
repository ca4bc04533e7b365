import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { BODY_BYTES, type CallHandler, type IncomingCall, type OutgoingResponse } from './call.ts'
import type { createRouter } from './router.ts'

/** The host of a request without the header: HTTP/1.0 does not require it, and some load balancers check health that way. */
const NO_HOST = 'localhost'

/**
 * The request listener of Node's server. API calls, nearly all of a region's requests, go to their handler directly: wrapping
 * them in Request and Response objects costs more than most calls (docs/decisions/speed.md). All other requests go through the
 * router, and so do calls whose Content-Length is missing or above the limit, because the router limits the size of their bodies.
 */
export function createListener(
  router: Pick<ReturnType<typeof createRouter>, 'fetch'>,
  calls: Pick<CallHandler, 'handle'>,
): RequestListener {
  const others = createRouteListener(router)
  return (incoming, outgoing) => {
    const { method, url, headers } = incoming
    if (method !== 'POST' || url !== '/' || !(Number(headers['content-length']) <= BODY_BYTES)) {
      return void others(incoming, outgoing)
    }
    readBody(incoming, (body) => {
      const address = incoming.socket.remoteAddress ?? ''
      void respond(outgoing, calls.handle({ headers: headersOf(incoming), body, query: '', address }))
    })
  }
}

/** Passes each request to the routes. */
export const createRouteListener = (router: Pick<ReturnType<typeof createRouter>, 'fetch'>): RequestListener =>
  getRequestListener(router.fetch, { overrideGlobalObjects: false, hostname: NO_HOST })

/** Node's parser enforces the Content-Length. If the body ends early, the connection is closed and there is no response to send. */
function readBody(incoming: IncomingMessage, done: (body: Buffer) => void): void {
  let first: Buffer | undefined
  let more: Buffer[] | undefined
  incoming.on('data', (chunk: Buffer) => {
    if (!first) first = chunk
    else if (!more) more = [first, chunk]
    else more.push(chunk)
  })
  incoming.on('end', () => done(more ? Buffer.concat(more) : (first ?? Buffer.alloc(0))))
  incoming.on('error', () => {})
}

async function respond(outgoing: ServerResponse, pending: Promise<OutgoingResponse>): Promise<void> {
  const { status, headers, body } = await pending
  headers['content-length'] = String(Buffer.byteLength(body))
  outgoing.writeHead(status, headers)
  outgoing.end(body)
}

/** Callers choose the names that are looked up (SignedHeaders): inherited ones such as `constructor` must not be found. */
const headersOf = ({ headers }: IncomingMessage): IncomingCall['headers'] => ({
  get: (name) => (Object.hasOwn(headers, name) ? String(headers[name]) : null),
})
