import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { receiveBody } from './body.ts'
import type { BodyBudget } from './body-budget.ts'
import type { CallHandler, IncomingCall, OutgoingResponse } from './call.ts'
import type { createRouter } from './router.ts'

/** The host of a request without the header: HTTP/1.0 does not require it, and some load balancers check health that way. */
const NO_HOST = 'localhost'

/**
 * The request listener of Node's server. API calls, nearly all of a region's requests, go to their handler directly: wrapping
 * them in Request and Response objects costs more than most calls (docs/decisions/speed.md). All other requests go through the
 * router.
 */
export function createListener(
  router: Pick<ReturnType<typeof createRouter>, 'fetch'>,
  {
    calls,
    budget,
    addressOf,
  }: { calls: CallHandler; budget: BodyBudget; addressOf(incoming: IncomingMessage): string },
): RequestListener {
  const others = createRouteListener(router)
  return (incoming, outgoing) => {
    // A closed connection may still have parsed requests.
    if (incoming.socket.destroyed) return
    const query = queryOfCall(incoming)
    if (query === undefined) return void others(incoming, outgoing)
    const headers = headersOf(incoming)
    receiveBody(incoming, { limit: calls.bodyLimit(headers), budget }, (body) => {
      if (typeof body === 'string') {
        const response = calls.refuseBody(body, { headers, address: addressOf(incoming) })
        if (!discardRest(incoming)) response.headers.connection = 'close'
        send(outgoing, response)
        return
      }
      const response = calls.handle({ headers, body: body.bytes, query, address: addressOf(incoming) })
      void response.then((ready) => {
        body.release()
        send(outgoing, ready)
      })
    })
  }
}

/** Passes each request to the routes. */
export const createRouteListener = (router: Pick<ReturnType<typeof createRouter>, 'fetch'>): RequestListener =>
  getRequestListener(router.fetch, { overrideGlobalObjects: false, hostname: NO_HOST })

/** The path `/`, also with a scheme and a host before it (RFC 9112 §3.2.2), and the query. */
const ROOT = /^(?:https?:\/\/[^/?]*)?\/?(?:\?(.*))?$/is

/** The query of an API call, without the question mark; undefined for another request. */
function queryOfCall({ method, url = '' }: IncomingMessage): string | undefined {
  if (method !== 'POST') return undefined
  if (url === '/') return ''
  const match = ROOT.exec(url)
  return match ? (match[1] ?? '') : undefined
}

/** The rest of a refused body that is read, so that the connection can be used again. */
const DISCARDED_BYTES = 256 * 1024
/** Closing a connection that has unread bytes may also drop the response: the client has this time to read it. */
const LINGER_MILLISECONDS = 500

/** A small body is read to its end. A large one is not: returns false, and the connection is closed. */
function discardRest(incoming: IncomingMessage): boolean {
  if (Number(incoming.headers['content-length']) <= DISCARDED_BYTES) {
    incoming.resume()
    return true
  }
  const { socket } = incoming
  // Node would read the rest of a body that nobody has begun to read, and would close the connection with the response.
  incoming.read(0)
  incoming.pause()
  socket.destroySoon = () => void socket.end()
  setTimeout(() => socket.destroy(), LINGER_MILLISECONDS)
  return false
}

function send(outgoing: ServerResponse, { status, headers, body }: OutgoingResponse): void {
  headers['content-length'] = String(Buffer.byteLength(body))
  outgoing.writeHead(status, headers)
  outgoing.end(body)
}

/** Callers choose the names that are looked up (SignedHeaders): inherited ones such as `constructor` must not be found. */
const headersOf = ({ headers }: IncomingMessage): IncomingCall['headers'] => ({
  get: (name) => (Object.hasOwn(headers, name) ? String(headers[name]) : null),
})
