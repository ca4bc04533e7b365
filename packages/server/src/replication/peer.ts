import type { Clock } from '../clock.ts'
import { type ClockSample, sampleClock } from '../clock-samples.ts'
import type { Ability } from '../store/database.ts'
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
  UNKNOWN_POOL,
} from './messages.ts'
import { isEqual, PROOF_HEADER, type Prover, RESPONSE_PROOF_HEADER } from './proof.ts'

/** Why a peer cannot be followed. Stable words, for operators. */
export type PeerProblem =
  | 'unreachable' // no connection, or the response is not from Twinpool
  | 'silent' // the connection is open, but no message arrives
  | 'secret' // the peer refuses our proof: its cluster secret is different
  | 'impostor' // the response has no valid proof of the cluster secret
  | 'certificate' // the peer requires a client certificate of its CA
  | 'clock' // the peer refuses our time although we use the time that it reported
  | 'format' // the peer runs a version with another wire format
  | 'failing' // the peer returns an error

export class PeerError extends Error {
  readonly problem: PeerProblem

  constructor(problem: PeerProblem, message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'PeerError'
    this.problem = problem
  }
}

/** The client of another region. Every call throws PeerError. */
export interface Peer extends Source {
  readonly region: string
  /**
   * Yields the messages received since the last read, none if only a part of a message has arrived; ends when the peer ends the
   * stream.
   */
  feed(from: ResumePoint | undefined, signal: AbortSignal): AsyncIterable<FeedMessage[]>
  acknowledge(position: Pick<LogPosition, 'log' | 'position'>): Promise<void>
  /** Asks for the time of the peer's clock. Peers of older versions do not know the path. */
  clock(): Promise<ClockSample>
  /** Whether a process without this ability serves the peer's region; builds without it do not report it. */
  hasOlderProcesses(ability?: Ability): Promise<boolean>
  /** Sends a key message. Returns the reason if the peer refuses it, undefined if it accepts it. */
  offerKey(message: unknown): Promise<{ refused: string } | undefined>
  /** One page of the ids of this region's keys that the peer holds; undefined if it does not report them. */
  heldKeys(after: string | undefined): Promise<{ ids: string[]; next: string | null } | undefined>
}

/** After this long without a byte of the response a call is given up. */
const SILENCE_MILLISECONDS = 10_000
/** Bounds the memory of a process. The first release sends transactions and pages of any size. */
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024
const MAX_BUFFERED_BYTES = 512 * 1024
const NEVER = new AbortController().signal
const LINE_BREAK = 10
const TAB = 9

export function createPeer({
  region,
  base,
  prover,
  clock,
  signal,
  silenceMilliseconds = SILENCE_MILLISECONDS,
  connect = fetch,
}: {
  region: string
  /** Base URL, without a slash at the end. */
  base: string
  prover: Prover
  clock: Pick<Clock, 'now' | 'monotonic'>
  /** Fires when this region stops: calls in flight are aborted. */
  signal?: AbortSignal | undefined
  silenceMilliseconds?: number
  /** Sends a request; for a private CA or a client certificate. */
  connect?: typeof fetch | undefined
}): Peer {
  /** The secret that the peer accepted last. */
  let secret: string | undefined
  /** How far the peer's clock is ahead of ours, in milliseconds; 0 until the peer has refused our time. */
  let ahead = 0

  const send = async (
    request: { method: 'GET' | 'POST'; path: string; body?: string },
    { ends = signal, stream = false }: { ends?: AbortSignal | undefined; stream?: boolean } = {},
  ): Promise<{ response: Response; proven: { proof: string; secret: string }; text: string; now: number }> => {
    const { method, path, body = '' } = request
    // The peer may know only the old secret, or only the new one.
    const untried = [...prover.secrets].sort((a, b) => Number(b === secret) - Number(a === secret))
    let using = untried.shift() as string
    let timeCorrected = false
    for (;;) {
      const { header, proof } = prover.prove(
        region,
        { method, path, body },
        { secret: using, now: clock.now() + ahead },
      )
      let response: Response
      let text = ''
      const silence = watchSilence(stream ? undefined : silenceMilliseconds)
      try {
        response = await connect(`${base}${path}`, {
          method,
          redirect: 'error',
          headers: {
            [PROOF_HEADER]: header,
            'x-twinpool-format': FORMAT,
            ...(method === 'POST' && { 'content-type': 'application/json' }),
          },
          ...(method === 'POST' && { body }),
          signal: ends ? AbortSignal.any([ends, silence.signal]) : silence.signal,
        })
        if (!stream || !response.ok) text = await readText(response, silence.broken)
      } catch (cause) {
        throw new PeerError('unreachable', `${region} cannot be reached`, { cause })
      } finally {
        silence.end()
      }
      const streaming = stream && response.ok
      const proven = prover.checkResponse({ proof, secret: using }, response.headers.get(RESPONSE_PROOF_HEADER), {
        status: response.status,
        body: streaming ? undefined : text,
      })
      if (proven) secret = using
      if (proven && response.status === 401 && !timeCorrected) {
        ahead = proven.now - clock.now()
        timeCorrected = true
        continue
      }
      const next = !proven && response.status === 401 ? untried.shift() : undefined
      if (next !== undefined) {
        using = next
        continue
      }
      if (!proven || !response.ok) {
        if (streaming) await response.body?.cancel().catch(() => {})
        if (!proven || response.status !== 404) throw refusalOf(response.status, proven !== undefined)
      }
      return { response, proven: { proof, secret: using }, text, now: proven.now }
    }
  }

  const refusalOf = (status: number, proven: boolean): PeerError => {
    if (status === 401 && proven) return new PeerError('clock', `${region} refuses our time`)
    if (status === 401) return new PeerError('secret', `${region} refuses our proof: is its cluster secret the same?`)
    if (proven && status === 409) return new PeerError('format', `${region} runs a version with another wire format`)
    if (proven) return new PeerError('failing', `${region} returned status ${status}`)
    if (status === 403) return new PeerError('certificate', `${region} requires a client certificate`)
    if (status === 404 || status >= 500)
      return new PeerError('unreachable', `${region} returned status ${status} without a proof`)
    return new PeerError('impostor', `the response for ${region} has no valid proof`)
  }

  const get = async <T>(path: string): Promise<T | undefined> => {
    const { response, text } = await send({ method: 'GET', path })
    return response.status === 404 ? undefined : (JSON.parse(text) as T)
  }

  return {
    region,
    inventory: async (after) =>
      (await get<Inventory>(`/replication/inventory${query({ pool: after?.pool, key: after?.key })}`)) ?? {
        rows: [],
        next: null,
      },
    outline: async (pool, witness) => {
      const path = `/replication/outline${query({ pool, ...positionParameters(witness) })}`
      const { response, text } = await send({ method: 'GET', path })
      if (response.status !== 404) return JSON.parse(text) as Outline
      return (JSON.parse(text) as { reason?: string }).reason === UNKNOWN_POOL ? UNKNOWN_POOL : undefined
    },
    page: ({ pool, stage, after, limit, witness }) =>
      get<Page>(
        `/replication/page${query({ pool, stage, after, limit: String(limit), ...positionParameters(witness) })}`,
      ),
    acknowledge: async ({ log, position }) => {
      const body = JSON.stringify({ log, position })
      await send({ method: 'POST', path: '/replication/ack', body })
    },
    clock: () =>
      sampleClock({ clock, ours: 'now' }, async () => (await send({ method: 'GET', path: '/replication/clock' })).now),
    hasOlderProcesses: async (ability = 'sealing') => {
      const status = await get<{ olderProcesses?: boolean; withoutRotation?: boolean }>('/replication/status')
      return (ability === 'sealing' ? status?.olderProcesses : status?.withoutRotation) !== false
    },
    offerKey: async (message) => {
      const body = JSON.stringify(message)
      // The call of a client that the region still serves while it stops.
      const { text } = await send({ method: 'POST', path: '/replication/key', body }, { ends: NEVER })
      const { refused } = JSON.parse(text) as { refused?: string }
      return refused === undefined ? undefined : { refused }
    },
    heldKeys: (after) => get(`/replication/keys${query({ after })}`),
    feed: async function* (from, signal) {
      const path = `/replication/feed${query({
        kinds: formatKinds(kindsOfThisBuild()),
        parts: '1',
        ...(from && {
          ...positionParameters(from),
          ...(from.part && { part: String(from.part.position), partMark: from.part.mark }),
          epoch: String(from.epoch),
          witness: String(from.witness.position),
          witnessMark: from.witness.mark,
        }),
      })}`
      const ended = new AbortController()
      const both = AbortSignal.any([signal, ended.signal])
      const { response, proven } = await send({ method: 'GET', path }, { ends: both, stream: true })
      if (!response.body) throw new PeerError('unreachable', `${region} returned no body`)
      try {
        yield* readLines(response.body, prover.lineProver(proven), region)
      } finally {
        ended.abort()
      }
    },
  }
}

/** A signal that fires when `broken` has not been called for a time; never without a time. */
function watchSilence(milliseconds: number | undefined): { signal: AbortSignal; broken(): void; end(): void } {
  const controller = new AbortController()
  const timer = milliseconds === undefined ? undefined : setTimeout(() => controller.abort(), milliseconds)
  return { signal: controller.signal, broken: () => timer?.refresh(), end: () => clearTimeout(timer) }
}

/** Reads a response, and reports each arrival of bytes. */
async function readText(response: Response, onBytes: () => void): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    onBytes()
    size += chunk.length
    if (size > MAX_MESSAGE_BYTES) throw new Error('the response is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/**
 * Buffers messages ahead of the consumer, so that all messages received while a transaction is applied can be applied as one.
 * The buffer is bounded; when it is full, the peer waits.
 */
async function* readLines(
  body: ReadableStream<Uint8Array>,
  proofOf: (json: Buffer) => string,
  region: string,
): AsyncGenerator<FeedMessage[]> {
  let waiting: FeedMessage[] = []
  let size = 0
  /** Whether bytes have arrived since the consumer last read. */
  let arrived = false
  let end: { error?: unknown } | undefined
  let changed = Promise.withResolvers<void>()
  const notify = (): void => {
    changed.resolve()
    changed = Promise.withResolvers<void>()
  }
  const accept = (line: Buffer): void => {
    const tab = line.indexOf(TAB)
    const json = line.subarray(tab + 1)
    if (!isEqual(line.toString('latin1', 0, Math.max(0, tab)), proofOf(json))) {
      throw new PeerError('impostor', `a line of the stream of ${region} has no valid proof`)
    }
    waiting.push(JSON.parse(json.toString()) as FeedMessage)
    size += line.length
  }
  const pump = async (): Promise<void> => {
    /** The received pieces of a line, joined at its end. */
    let pieces: Buffer[] = []
    let length = 0
    for await (const part of body) {
      const chunk = Buffer.from(part.buffer, part.byteOffset, part.byteLength)
      let from = 0
      for (;;) {
        const at = chunk.indexOf(LINE_BREAK, from)
        const piece = chunk.subarray(from, at < 0 ? undefined : at)
        length += piece.length
        if (length > MAX_MESSAGE_BYTES) throw new PeerError('failing', `${region} sent a line that is too long`)
        pieces.push(piece)
        if (at < 0) break
        accept(Buffer.concat(pieces))
        pieces = []
        length = 0
        from = at + 1
      }
      arrived = true
      notify()
      while (size > MAX_BUFFERED_BYTES && !end) await changed.promise
    }
  }
  pump().then(
    () => {
      end ??= {}
      notify()
    },
    (error: unknown) => {
      end ??= {
        error:
          error instanceof PeerError
            ? error
            : new PeerError('unreachable', `the stream of ${region} broke`, { cause: error }),
      }
      notify()
    },
  )
  try {
    for (;;) {
      if (waiting.length > 0 || (arrived && !end)) {
        const messages = waiting
        waiting = []
        size = 0
        arrived = false
        notify()
        yield messages
      } else if (end) {
        if (end.error) throw end.error
        return
      } else await changed.promise
    }
  } finally {
    end ??= {}
    notify()
  }
}

const positionParameters = ({ log, position, mark }: LogPosition) => ({ log, position: String(position), mark })

function query(parameters: Record<string, string | undefined>): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) search.set(name, value)
  const text = search.toString()
  return text === '' ? '' : `?${text}`
}
