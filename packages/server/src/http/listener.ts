import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { BODY_BYTES, type CallHandler, type IncomingCall, type OutgoingAnswer } from './call.ts'
import type { createRouter } from './router.ts'

/**
 * The listener of Node's server. Calls of the API, nearly all of a region's requests, go to their handler directly: wrapping
 * them in Request and Response objects costs more than most calls do (docs/decisions/speed.md). All other requests go through
 * the router, and so does a call whose body may be too large, for it must be drained with care.
 */
export function createListener(
  router: Pick<ReturnType<typeof createRouter>, 'fetch'>,
  calls: Pick<CallHandler, 'answer'>,
): RequestListener {
  const others = getRequestListener(router.fetch, { overrideGlobalObjects: false })
  return (incoming, outgoing) => {
    const { method, url, headers } = incoming
    if (method !== 'POST' || url !== '/' || !(Number(headers['content-length']) <= BODY_BYTES)) {
      return void others(incoming, outgoing)
    }
    readBody(incoming, (body) => {
      const address = incoming.socket.remoteAddress ?? ''
      void answer(outgoing, calls.answer({ headers: headersOf(incoming), body, query: '', address }))
    })
  }
}

/** The parser sees to it that a body has the length that was said. One that ends early has nobody left to be answered. */
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

async function answer(outgoing: ServerResponse, coming: Promise<OutgoingAnswer>): Promise<void> {
  const { status, headers, body } = await coming
  headers['content-length'] = String(Buffer.byteLength(body))
  outgoing.writeHead(status, headers)
  outgoing.end(body)
}

/** The names that callers ask for are theirs to choose: `constructor` must not be found. */
const headersOf = ({ headers }: IncomingMessage): IncomingCall['headers'] => ({
  get: (name) => (Object.hasOwn(headers, name) ? String(headers[name]) : null),
})
