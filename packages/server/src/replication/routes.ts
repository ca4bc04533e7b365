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
  prover: Prover
  events: Pick<Events, 'noted'>
  /** The regions whose requests are accepted. */
  peers: ReadonlySet<string>
  /** Handles a key message. Returns the reason if it is refused, otherwise undefined. */
  acceptKey(message: unknown): Promise<string | undefined>
  /** One page of the ids of the peer's keys that this region holds; undefined if it has no key ring. */
  heldKeys(peer: string, after: string | undefined): Promise<object | undefined>
  status(): Promise<Status>
  /** Fires when the streams must end. */
  signal: AbortSignal
}

const BODY_BYTES = 1024 * 1024

/** The routes that regions call on each other. Every request must carry a proof. */
export function createReplicationRoutes(context: RoutesContext): Hono {
  const { supplier, store, clock, prover, signal } = context
  const app = new Hono()
  /** The last logged refusal by peer: a refused peer retries every second, so a repeated reason is not logged again. */
  const refused = new Map<string, string>()

  const respond = (c: Context, proven: ProvenRequest, status: number, value: unknown): Response => {
    const body = JSON.stringify(value)
    const now = clock.now()
    return c.body(body, status as 200, {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      [RESPONSE_PROOF_HEADER]: prover.proveResponse(proven, { status, now, body }),
    })
  }

  type Handle = (c: Context, proven: ProvenRequest, body: string) => Promise<Response> | Response

  const authenticated = (handle: Handle) => async (c: Context) => {
    const url = new URL(c.req.url)
    const body = c.req.method === 'POST' ? await readBody(c.req.raw) : ''
    if (body === undefined) return c.json({ reason: 'size' }, 413)
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
              epoch: numberOf(c.req.query('epoch')),
              witness: { position: numberOf(c.req.query('witness')), mark: c.req.query('witnessMark') ?? '' },
            }
      const known = parseKinds(c.req.query('kinds'))
      await savePeerKinds(store, request.from, known)
      const ended = new AbortController()
      const both = AbortSignal.any([signal, ended.signal, c.req.raw.signal])
      const proveLine = prover.lineProver(request)
      const messages = readFeed({ supplier, store, clock }, { peer: request.from, from: resumePoint, known }, both)
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
    authenticated(async (c, request, body) => {
      const { log, position } = parseObject(body) ?? {}
      if (typeof log !== 'string' || !Number.isSafeInteger(position))
        return respond(c, request, 400, { reason: 'body' })
      await supplier.acknowledge(request.from, { log, position: position as number })
      return respond(c, request, 200, {})
    }),
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
    authenticated(async (c, request, body) => {
      const message = parseObject(body)
      if (!message) return respond(c, request, 400, { reason: 'body' })
      const refusal = await context.acceptKey(message)
      return respond(c, request, 200, refusal === undefined ? {} : { refused: refusal })
    }),
  )

  // The proof of the response has the time.
  app.get(
    '/replication/clock',
    authenticated((c, request) => respond(c, request, 200, {})),
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

/** Undefined if the body is larger than any that a region sends. */
async function readBody(request: Request): Promise<string | undefined> {
  if (!request.body) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.length
    if (size > BODY_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
