import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider'

type Input = { readonly AuthFlow?: string; readonly [member: string]: unknown }
type Answer = { status: number; body: object | string; headers?: Record<string, string> }
type Reply = Answer | 'silence' | 'hang up'
export type Behaviour = (operation: string, input: Input) => Reply

export const ok = (body: object = {}): Reply => ({ status: 200, body })
export const refuse = (type: string, message = type): Answer => ({ status: 400, body: { __type: type, message } })

/** Serves every call, and refuses a made-up token. */
export const serves: Behaviour = (_operation, input) =>
  JSON.stringify(input).includes('twinpool.probe') ? refuse('NotAuthorizedException') : ok()
export const isSilent: Behaviour = () => 'silence'
export const hangsUp: Behaviour = () => 'hang up'
export const breaks: Behaviour = () => ({
  status: 500,
  body: { __type: 'InternalErrorException', message: 'Something went wrong' },
})
export const throttles: Behaviour = () => refuse('TooManyRequestsException', 'Rate exceeded')
export const isInactive: Behaviour = () => refuse('OperationNotEnabledException')

/** A loopback HTTP server that plays a region. */
export class PlayRegion {
  behaviour: Behaviour = serves
  /** The requested operations, in order. */
  readonly asked: string[] = []
  /** The number of connections opened so far. */
  connections = 0
  readonly #name: string
  #server: Server | undefined
  readonly #sockets = new Set<Socket>()
  #port = 0
  readonly #waiters = new Set<() => void>()

  constructor(name: string) {
    this.#name = name
  }

  async start(): Promise<this> {
    const server = createServer((request, response) => void this.#answer(request, response))
    server.on('connection', (socket) => {
      this.connections += 1
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = (server.address() as AddressInfo).port
    return this
  }

  /** Like SIGKILL: breaks the connections and closes the port. */
  async kill(): Promise<void> {
    const closed = new Promise((resolve) => this.#server?.close(resolve))
    for (const socket of this.#sockets) socket.resetAndDestroy()
    await closed
  }

  /** A client of the official SDK with its default retries. */
  client(): CognitoIdentityProviderClient {
    return new CognitoIdentityProviderClient({
      region: this.#name,
      endpoint: `http://127.0.0.1:${this.#port}`,
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
    })
  }

  /** Resolves once this number of requests has arrived in total. */
  async received(count: number): Promise<void> {
    while (this.asked.length < count) await new Promise<void>((resolve) => this.#waiters.add(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const chunk of request) text += chunk
    const operation = String(request.headers['x-amz-target']).split('.')[1] ?? ''
    const reply = this.behaviour(operation, JSON.parse(text))
    this.asked.push(operation)
    for (const waiter of this.#waiters) waiter()
    this.#waiters.clear()
    if (reply === 'silence') return
    if (reply === 'hang up') return void request.socket.destroy()
    const body = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body)
    response.writeHead(reply.status, { 'content-type': 'application/x-amz-json-1.1', ...reply.headers }).end(body)
  }
}
