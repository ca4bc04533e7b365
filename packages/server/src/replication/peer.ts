import type { Clock } from '../clock.ts'
import { formatKinds, kindsOfThisBuild } from './known-kinds.ts'
import {
  type FeedMessage,
  FORMAT,
  type Inventory,
  type LogPosition,
  type Outline,
  type Page,
  type ResumePoint,
  type Source,
} from './messages.ts'
import { isEqual, PROOF_HEADER, type Prover, RESPONSE_PROOF_HEADER } from './proof.ts'

/** Why a peer cannot be followed. Stable words, for operators. */
export type PeerProblem =
  | 'unreachable' // no connection, or an answer that is none of ours
  | 'silent' // the connection is open and nothing comes
  | 'secret' // the peer does not take our proof: another cluster secret
  | 'impostor' // the peer does not prove that it knows the secret
  | 'clock' // the peer refuses our time although it told us its own
  | 'format' // another version of Twinpool, which does not understand this one
  | 'failing' // the peer answers that it cannot

export class PeerError extends Error {
  readonly problem: PeerProblem

  constructor(problem: PeerProblem, message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'PeerError'
    this.problem = problem
  }
}

/** Another region, as this one asks it. Everything throws PeerError. */
export interface Peer extends Source {
  readonly region: string
  /** What has come since the last time, one message or more; ends when the peer ends it. */
  feed(from: ResumePoint | undefined, signal: AbortSignal): AsyncIterable<FeedMessage[]>
  acknowledge(position: Pick<LogPosition, 'log' | 'position'>): Promise<void>
  /** Hands over a key message; answers what the peer says to it: undefined when it took it. */
  offerKey(message: unknown): Promise<{ refused: string } | undefined>
}

const REQUEST_TIMEOUT_MILLISECONDS = 10_000
/** A line may be a whole transaction, but not more than a process can hold. */
const MAX_LINE_CHARACTERS = 256 * 1024 * 1024
const MAX_BUFFERED_CHARACTERS = 8 * 1024 * 1024

export function createPeer({
  region,
  base,
  prover,
  clock,
  signal,
}: {
  region: string
  /** Base URL, without a slash at the end. */
  base: string
  prover: Prover
  clock: Pick<Clock, 'now'>
  /** Fires when this region stops: what is asked then is not waited for. */
  signal?: AbortSignal | undefined
}): Peer {
  /** How far the peer's clock is ahead of ours, in milliseconds, once it had to tell. */
  let ahead = 0

  const send = async (
    request: { method: 'GET' | 'POST'; path: string; body?: string },
    signal: AbortSignal,
    stream: boolean,
  ): Promise<{ response: Response; proof: string; text: string }> => {
    const { method, path, body = '' } = request
    for (let attempt = 1; ; attempt += 1) {
      const { header, proof } = prover.prove(region, { method, path, body }, clock.now() + ahead)
      let response: Response
      let text = ''
      try {
        response = await fetch(`${base}${path}`, {
          method,
          redirect: 'error',
          headers: {
            [PROOF_HEADER]: header,
            'x-twinpool-format': FORMAT,
            ...(method === 'POST' && { 'content-type': 'application/json' }),
          },
          ...(method === 'POST' && { body }),
          signal,
        })
        if (!stream || !response.ok) text = await response.text()
      } catch (cause) {
        throw new PeerError('unreachable', `${region} cannot be reached`, { cause })
      }
      const streaming = stream && response.ok
      const proven = prover.checkResponse(proof, response.headers.get(RESPONSE_PROOF_HEADER), {
        status: response.status,
        body: streaming ? undefined : text,
      })
      if (proven && response.status === 401 && attempt === 1) {
        ahead = proven.now - clock.now()
        continue
      }
      if (!proven || !response.ok) {
        if (streaming) await response.body?.cancel().catch(() => {})
        if (!proven || response.status !== 404) throw refusalOf(response.status, proven !== undefined)
      }
      return { response, proof, text }
    }
  }

  const refusalOf = (status: number, proven: boolean): PeerError => {
    if (status === 401 && proven) return new PeerError('clock', `${region} does not take our time`)
    if (status === 401)
      return new PeerError('secret', `${region} does not take our proof: is its cluster secret the same?`)
    if (proven && status === 409)
      return new PeerError('format', `${region} runs a version that does not understand this one`)
    if (proven) return new PeerError('failing', `${region} answered ${status}`)
    if (status === 404 || status >= 500)
      return new PeerError('unreachable', `${region} answered ${status}, without proof`)
    return new PeerError('impostor', `who answers for ${region} did not prove itself`)
  }

  const requestTimeout = (): AbortSignal =>
    AbortSignal.any([AbortSignal.timeout(REQUEST_TIMEOUT_MILLISECONDS), ...(signal ? [signal] : [])])

  const ask = async <T>(path: string): Promise<T | undefined> => {
    const { response, text } = await send({ method: 'GET', path }, requestTimeout(), false)
    return response.status === 404 ? undefined : (JSON.parse(text) as T)
  }

  return {
    region,
    inventory: async (after) =>
      (await ask<Inventory>(`/replication/inventory${query({ pool: after?.pool, key: after?.key })}`)) ?? {
        rows: [],
        next: null,
      },
    outline: (pool, witness) => ask<Outline>(`/replication/outline${query({ pool, ...positionParameters(witness) })}`),
    page: ({ pool, stage, after, limit, witness }) =>
      ask<Page>(
        `/replication/page${query({ pool, stage, after, limit: String(limit), ...positionParameters(witness) })}`,
      ),
    acknowledge: async ({ log, position }) => {
      const body = JSON.stringify({ log, position })
      await send({ method: 'POST', path: '/replication/ack', body }, requestTimeout(), false)
    },
    offerKey: async (message) => {
      const body = JSON.stringify(message)
      const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MILLISECONDS)
      const { text } = await send({ method: 'POST', path: '/replication/key', body }, signal, false)
      const { refused } = JSON.parse(text) as { refused?: string }
      return refused === undefined ? undefined : { refused }
    },
    feed: async function* (from, signal) {
      const path = `/replication/feed${query({
        kinds: formatKinds(kindsOfThisBuild()),
        ...(from && {
          ...positionParameters(from),
          epoch: String(from.epoch),
          witness: String(from.witness.position),
          witnessMark: from.witness.mark,
        }),
      })}`
      const ended = new AbortController()
      const both = AbortSignal.any([signal, ended.signal])
      const { response, proof } = await send({ method: 'GET', path }, both, true)
      if (!response.body) throw new PeerError('unreachable', `${region} answered without a body`)
      try {
        yield* readLines(response.body, prover.line(proof), region)
      } finally {
        ended.abort()
      }
    },
  }
}

/**
 * Reads ahead of its reader, so that what comes while a transaction is applied can be applied as one; but not further than
 * memory allows: then the peer has to wait.
 */
async function* readLines(
  body: ReadableStream<Uint8Array>,
  proofOf: (text: string) => string,
  region: string,
): AsyncGenerator<FeedMessage[]> {
  let waiting: FeedMessage[] = []
  let size = 0
  let end: { error?: unknown } | undefined
  let moved = Promise.withResolvers<void>()
  const turn = (): void => {
    moved.resolve()
    moved = Promise.withResolvers<void>()
  }
  const pump = async (): Promise<void> => {
    let rest = ''
    for await (const text of body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)) {
      const lines = (rest + text).split('\n')
      rest = lines.pop() as string
      if (rest.length > MAX_LINE_CHARACTERS) throw new PeerError('failing', `${region} sent a line without an end`)
      for (const line of lines) {
        const json = line.slice(line.indexOf('\t') + 1)
        if (!isEqual(line.slice(0, line.indexOf('\t')), proofOf(json))) {
          throw new PeerError('impostor', `a line of the stream of ${region} is not proven`)
        }
        waiting.push(JSON.parse(json) as FeedMessage)
        size += line.length
      }
      turn()
      while (size > MAX_BUFFERED_CHARACTERS && !end) await moved.promise
    }
  }
  pump().then(
    () => {
      end ??= {}
      turn()
    },
    (error: unknown) => {
      end ??= {
        error:
          error instanceof PeerError
            ? error
            : new PeerError('unreachable', `the stream of ${region} broke`, { cause: error }),
      }
      turn()
    },
  )
  try {
    for (;;) {
      if (waiting.length > 0) {
        const come = waiting
        waiting = []
        size = 0
        turn()
        yield come
      } else if (end) {
        if (end.error) throw end.error
        return
      } else await moved.promise
    }
  } finally {
    end ??= {}
    turn()
  }
}

const positionParameters = ({ log, position, mark }: LogPosition) => ({ log, position: String(position), mark })

function query(parameters: Record<string, string | undefined>): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) search.set(name, value)
  const text = search.toString()
  return text === '' ? '' : `?${text}`
}
