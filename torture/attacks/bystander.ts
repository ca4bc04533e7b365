/**
 * Runs in a thread of its own: calls GetUser again and again on one connection and opens a new connection for each GET /health.
 * Posts the longest durations when the parent asks for them.
 */
import { Agent, request } from 'node:http'
import { parentPort, workerData } from 'node:worker_threads'
import { headersOf } from '@twinpool/testing/calls'

export interface Observed {
  calls: number
  /** The longest duration of a call, in milliseconds. A call that failed counts as endless. */
  stall: number
  /** The longest time until a new connection got its response, in milliseconds. */
  newConnection: number
}

const { endpoint, token } = workerData as { endpoint: string; token: string }
const PAUSE_MILLISECONDS = 5
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const body = JSON.stringify({ AccessToken: token })

function time(path: string, options: object, text: string): Promise<number> {
  const began = performance.now()
  const { promise, resolve } = Promise.withResolvers<number>()
  const fail = (): void => resolve(Number.POSITIVE_INFINITY)
  const outgoing = request(`${endpoint}${path}`, options, (incoming) => {
    incoming.resume()
    incoming.on('end', () => (incoming.statusCode === 200 ? resolve(performance.now() - began) : fail()))
    incoming.on('error', fail)
  })
  outgoing.on('error', fail)
  outgoing.setTimeout(20_000, () => outgoing.destroy())
  outgoing.end(text)
  return promise
}

const getUser = (): Promise<number> =>
  time('/', { method: 'POST', agent, headers: { ...headersOf('GetUser'), 'content-length': body.length } }, body)
const health = (): Promise<number> => time('/health', { method: 'GET', agent: false }, '')

let observed: Observed = { calls: 0, stall: 0, newConnection: 0 }
let ended = false

async function observe(): Promise<void> {
  while (!ended) {
    // A kept connection may be closed at any time: a client makes the call again, on a new one.
    const stall = await getUser().then((first) => (Number.isFinite(first) ? first : getUser()))
    const newConnection = await health()
    observed = {
      calls: observed.calls + 1,
      stall: Math.max(observed.stall, stall),
      newConnection: Math.max(observed.newConnection, newConnection),
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLISECONDS))
  }
}

const done = observe()
parentPort?.on('message', async () => {
  ended = true
  await done
  parentPort?.postMessage(observed)
  parentPort?.close()
  agent.destroy()
})
