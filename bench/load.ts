import { connect, type Socket } from 'node:net'
import { processorTime } from './processes.ts'

/** One request of a load: a POST to `path` (default `/`). */
export interface Exchange {
  path?: string
  headers: Readonly<Record<string, string>>
  body: string
}

/**
 * Sends a request over the worker's connection and returns the body of the response. @throws Error if the status is not
 * 200
 */
export type Send = (exchange: Exchange) => Promise<string>

/** One unit of work: one or several exchanges. `turn` counts the units over all connections. */
export type Work = (send: Send, turn: number) => Promise<void>

export interface Figures {
  perSecond: number
  /** Milliseconds. */
  p50: number
  p99: number
  /** CPU time of the server per unit of work, in milliseconds. */
  processor: number
}

/** Runs work in a closed loop over the given number of connections and seconds. @throws the first error of the work */
export async function measure({
  endpoint,
  pid,
  connections,
  seconds,
  work,
}: {
  endpoint: string
  pid: number
  connections: number
  seconds: number
  work: Work
}): Promise<Figures> {
  const lines = await Promise.all(Array.from({ length: connections }, () => openLine(endpoint)))
  const latencies: number[] = []
  let turn = 0
  const used = processorTime(pid)
  const began = performance.now()
  const end = began + seconds * 1_000
  try {
    await Promise.all(
      lines.map(async ({ send }) => {
        for (let started = began; started < end; ) {
          turn += 1
          await work(send, turn)
          const now = performance.now()
          latencies.push(now - started)
          started = now
        }
      }),
    )
  } finally {
    for (const { socket } of lines) socket.destroy()
  }
  const elapsed = (performance.now() - began) / 1_000
  latencies.sort((a, b) => a - b)
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? Number.NaN
  return {
    perSecond: latencies.length / elapsed,
    p50: at(0.5),
    p99: at(0.99),
    processor: (processorTime(pid) - used) / latencies.length,
  }
}

/** Sends one request over a new connection. */
export async function sendOnce(endpoint: string, exchange: Exchange): Promise<string> {
  const { send, socket } = await openLine(endpoint)
  try {
    return await send(exchange)
  } finally {
    socket.destroy()
  }
}

/**
 * One kept-alive HTTP/1.1 connection, one request at a time. As minimal as possible: the load shares the machine with the
 * server, so the CPU time of a full HTTP client would distort the result.
 */
export async function openLine(endpoint: string): Promise<{ send: Send; socket: Socket }> {
  const { hostname, port, host } = new URL(endpoint)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect({ host: hostname, port: Number(port), noDelay: true }, resolve).once('error', reject)
  await promise
  let waiting: PromiseWithResolvers<string> | undefined
  let received: Buffer = Buffer.alloc(0)
  const settle = (outcome: string | Error): void => {
    const pending = waiting
    waiting = undefined
    if (outcome instanceof Error) pending?.reject(outcome)
    else pending?.resolve(outcome)
  }
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    const response = readResponse(received)
    if (!response) return
    received = received.subarray(response.end)
    settle(response.status === 200 ? response.body : new Error(`${response.status} ${response.body.slice(0, 300)}`))
  })
  socket.on('error', settle)
  socket.on('close', () => settle(new Error('the server closed the connection')))
  const send: Send = async ({ path = '/', headers, body }) => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    const head = `POST ${path} HTTP/1.1\r\nhost: ${host}\r\n${lines.join('')}content-length: ${Buffer.byteLength(body)}\r\n\r\n`
    if (socket.destroyed) throw new Error('the server closed the connection')
    waiting = Promise.withResolvers<string>()
    socket.write(head + body)
    return waiting.promise
  }
  return { send, socket }
}

/** Parses a response; undefined while it is incomplete. @throws Error for a response without Content-Length */
function readResponse(received: Buffer): { status: number; body: string; end: number } | undefined {
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const head = received.toString('latin1', 0, headEnd)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length === undefined) throw new Error('a response without Content-Length')
  const end = headEnd + 4 + Number(length)
  if (received.length < end) return undefined
  return { status: Number(head.slice(9, 12)), body: received.toString('utf8', headEnd + 4, end), end }
}
