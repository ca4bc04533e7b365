import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { BODY_BYTES, type IncomingCall, type OutgoingAnswer } from '../aws/calls.ts'
import type { Routes } from './routes.ts'

/**
 * Node's way in. Calls of the API, which are nearly all that a region is asked, go to their answer directly: making them
 * Request and Response objects cost more than most calls do (docs/decisions/speed.md). The rest goes through the routes, and so
 * does a call whose body may be too large, for it must be drained with care.
 */
export function createListener(routes: Routes): RequestListener {
  const others = getRequestListener(routes.fetch, { overrideGlobalObjects: false })
  return (incoming, outgoing) => {
    const { method, url, headers } = incoming
    if (method !== 'POST' || url !== '/' || !(Number(headers['content-length']) <= BODY_BYTES)) {
      return void others(incoming, outgoing)
    }
    readBody(incoming, (body) => {
      const address = incoming.socket.remoteAddress ?? ''
      void answer(outgoing, routes.answer({ headers: headersOf(incoming), body, query: '', address }))
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
