import { type Context, Hono } from 'hono'
import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'
import type { Store } from '../store/store.ts'
import { readFeed } from './feed.ts'
import { parseKinds, savePeerKinds } from './known-kinds.ts'
import { FORMAT, type LogPosition, type ResumePoint, UNKNOWN_POOL } from './messages.ts'
import { PROOF_HEADER, ProofRefusedError, type ProvenRequest, type Prover, RESPONSE_PROOF_HEADER } from './proof.ts'
import type { Status } from './status.ts'
import type { Supplier } from './supplier.ts'

export interface RoutesContext {
  supplier: Supplier
  store: Store
  clock: Clock
  /** The clock that peers measure. */
  regionClock: Pick<Clock, 'now'>
  prover: Prover
  events: Pick<Events, 'noted' | 'feedHeld' | 'failed'>
  /** The regions whose requests are accepted. */
  peers: ReadonlySet<string>
  /** Handles a key message. Returns the reason if it is refused, otherwise undefined. */
  acceptKey(message: unknown): Promise<string | undefined>
  /** Reads the body of a request, at most `limit` bytes. Returns the reason if it is refused. */
  readBody(request: Request, limit: number): Promise<ReadBody | string>
  /** One page of the ids of the peer's keys that this region holds; undefined if it has no key ring. */
  heldKeys(peer: string, after: string | undefined): Promise<object | undefined>
  status(): Promise<Status>
  /** Fires when the streams must end. */
  signal: AbortSignal
}

/** A request body; `release` frees its share of the memory for bodies. */
interface ReadBody {
  bytes: Buffer
  release(): void
}

/**
 * Bodies are read before their proof is checked, because it covers them; more than ACK_BYTES only if it names a peer. A key message has
 * a key with its policy and its tags.
 */
const ACK_BYTES = 4_096
const KEY_BYTES = 1024 * 1024

/** The routes that regions call on each other. Every request must carry a proof. */
export function createReplicationRoutes(context: RoutesContext): Hono {
  const { supplier, store, clock, prover, signal } = context
  const app = new Hono()
  /** The last logged refusal by peer: a refused peer retries every second, so a repeated reason is not logged again. */
  const refused = new Map<string, string>()

  const respond = (
    c: Context,
    proven: ProvenRequest,
    status: number,
    value: unknown,
    now: number = clock.now(),
  ): Response => {
    const body = JSON.stringify(value)
    return c.body(body, status as 200, {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      [RESPONSE_PROOF_HEADER]: prover.proveResponse(proven, { status, now, body }),
    })
  }

  type Handle = (c: Context, proven: ProvenRequest, body: string) => Promise<Response> | Response

  const authenticated = (handle: Handle, { bodyBytes }: { bodyBytes: number } = { bodyBytes: 0 }) => {
    const authenticate = check(handle)
    return async (c: Context) => {
      if (c.req.method !== 'POST') return authenticate(c, '')
      const isPeer = context.peers.has(c.req.header(PROOF_HEADER)?.split(' ')[1] ?? '')
      const body = await context.readBody(c.req.raw, isPeer ? bodyBytes : Math.min(bodyBytes, ACK_BYTES))
      if (typeof body === 'string') return c.json({ reason: 'size' }, 413)
      try {
        return await authenticate(c, body.bytes.toString('utf8'))
      } finally {
        body.release()
      }
    }
  }

  const check = (handle: Handle) => async (c: Context, body: string) => {
    const url = new URL(c.req.url)
    const claimed = c.req.header(PROOF_HEADER)?.split(' ')[1] ?? ''
    const name = context.peers.has(claimed) ? claimed : 'unknown'
    const note = (reason: string): void => {
      if (refused.get(name) === reason) return
      refused.set(name, reason)
      context.events.noted('replication-refused', { peer: name, reason })
    }
    let request: ProvenRequest
    try {
      request = await prover.check(c.req.header(PROOF_HEADER), {
        method: c.req.method,
        path: url.pathname + url.search,
        body,
      })
    } catch (error) {
      if (!(error instanceof ProofRefusedError)) throw error
      note(error.reason)
      return error.request
        ? respond(c, error.request, 401, { reason: error.reason })
        : c.json({ reason: error.reason }, 401)
    }
    if (!context.peers.has(request.from)) {
      note('not-a-peer')
      return respond(c, request, 403, { reason: 'not-a-peer' })
    }
    if (c.req.header('x-twinpool-format') !== FORMAT) {
      note('format')
      return respond(c, request, 409, { reason: 'format', format: FORMAT })
    }
    refused.delete(name)
    return handle(c, request, body)
  }

  app.get(
    '/replication/feed',
    authenticated(async (c, request) => {
      const resumePoint: ResumePoint | undefined =
        c.req.query('position') === undefined
          ? undefined
          : {
              ...positionOf(c),
              ...(c.req.query('part') !== undefined && {
                part: { position: numberOf(c.req.query('part')), mark: c.req.query('partMark') ?? '' },
              }),
              epoch: numberOf(c.req.query('epoch')),
              witness: { position: numberOf(c.req.query('witness')), mark: c.req.query('witnessMark') ?? '' },
            }
      const known = parseKinds(c.req.query('kinds'))
      await savePeerKinds(store, request.from, known)
      const ended = new AbortController()
      const both = AbortSignal.any([signal, ended.signal, c.req.raw.signal])
      const proveLine = prover.lineProver(request)
      const messages = readFeed(
        { supplier, store, clock, events: context.events },
        { peer: request.from, from: resumePoint, known, parts: c.req.query('parts') !== undefined },
        both,
      )
      const encoder = new TextEncoder()
      const stream = new ReadableStream<Uint8Array>(
        {
          pull: async (controller) => {
            const next = await messages.next()
            if (next.done) return controller.close()
            const json = JSON.stringify(next.value)
            controller.enqueue(encoder.encode(`${proveLine(json)}\t${json}\n`))
          },
          cancel: async () => {
            ended.abort()
            await messages.return(undefined)
          },
        },
        { highWaterMark: 0 },
      )
      return c.body(stream, 200, {
        'content-type': 'application/x-ndjson',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        [RESPONSE_PROOF_HEADER]: prover.proveResponse(request, { status: 200, now: clock.now(), body: undefined }),
      })
    }),
  )

  app.post(
    '/replication/ack',
    authenticated(
      async (c, request, body) => {
        const { log, position } = parseObject(body) ?? {}
        if (typeof log !== 'string' || !Number.isSafeInteger(position))
          return respond(c, request, 400, { reason: 'body' })
        await supplier.acknowledge(request.from, { log, position: position as number })
        return respond(c, request, 200, {})
      },
      { bodyBytes: ACK_BYTES },
    ),
  )

  app.get(
    '/replication/inventory',
    authenticated(async (c, request) => {
      const [pool, key] = [c.req.query('pool'), c.req.query('key')]
      const after = pool === undefined || key === undefined ? undefined : { pool, key }
      return respond(c, request, 200, await supplier.inventory(request.from, after))
    }),
  )

  app.get(
    '/replication/outline',
    authenticated(async (c, request) => {
      const outline = await supplier.outline(request.from, c.req.query('pool') ?? '', positionOf(c))
      // Older followers expect status 404 for both.
      if (!outline || outline === UNKNOWN_POOL) return respond(c, request, 404, { reason: outline ?? 'not-shared' })
      return respond(c, request, 200, outline)
    }),
  )

  app.get(
    '/replication/page',
    authenticated(async (c, request) => {
      const page = await supplier.page(request.from, {
        pool: c.req.query('pool') ?? '',
        stage: c.req.query('stage') ?? '',
        after: c.req.query('after'),
        limit: numberOf(c.req.query('limit')),
        witness: positionOf(c),
      })
      return page ? respond(c, request, 200, page) : respond(c, request, 404, { reason: 'not-shared' })
    }),
  )

  app.post(
    '/replication/key',
    authenticated(
      async (c, request, body) => {
        const message = parseObject(body)
        if (!message) return respond(c, request, 400, { reason: 'body' })
        const refusal = await context.acceptKey(message)
        return respond(c, request, 200, refusal === undefined ? {} : { refused: refusal })
      },
      { bodyBytes: KEY_BYTES },
    ),
  )

  // The proof of the response has the time.
  app.get(
    '/replication/clock',
    authenticated((c, request) => respond(c, request, 200, {}, context.regionClock.now())),
  )

  app.get(
    '/replication/keys',
    authenticated(async (c, request) => {
      const page = await context.heldKeys(request.from, c.req.query('after'))
      return page ? respond(c, request, 200, page) : respond(c, request, 404, { reason: 'no-key-ring' })
    }),
  )

  app.get(
    '/replication/status',
    authenticated(async (c, request) =>
      respond(c, request, 200, {
        ...(await context.status()),
        olderProcesses: await store.engine.hasOlderProcesses(),
        // Absent from builds that cannot open values under a newer data key.
        withoutRotation: await store.engine.hasOlderProcesses('rotation'),
      }),
    ),
  )

  return app
}

const positionOf = (c: Context): LogPosition => ({
  log: c.req.query('log') ?? '',
  position: numberOf(c.req.query('position')),
  mark: c.req.query('mark') ?? '',
})

const numberOf = (text: string | undefined): number => {
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : 0
}

/** Undefined if the body is not a JSON object. */
function parseObject(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
