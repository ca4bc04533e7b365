import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { acceptsDocument, documentHeaders } from '@twinpool/server/document'
import { createServiceCaller } from '@twinpool/toolkit'
import { createInbox } from './inbox.ts'
import { type RegionState, renderControlPage } from './page.ts'
import type { Plane } from './plane.ts'
import type { RegionProcess } from './region-process.ts'

const BODY_BYTES = 4 * 1024 * 1024
const HEALTH_PATIENCE_MILLISECONDS = 1_000
const FORWARD_PATIENCE_MILLISECONDS = 5_000
const WELL_KNOWN = /^\/[\w-]+_[0-9a-zA-Z]+\/\.well-known\/(?:jwks\.json|openid-configuration)$/
const ACTION = /^\/dev\/regions\/([\w-]+)\/(kill|stop|start|pause|resume|clock|cut|heal|slow|throttle)$/
const FURTHEST_CLOCK_MILLISECONDS = 24 * 3_600_000

export interface Control {
  /** Connects the plane once its regions run; until then the control port only collects messages. */
  attach(plane: Plane): void
  close(): Promise<void>
}

/**
 * The control port of a development plane: the router and the UPDATED issuer, which work as long as one region is up, and the
 * controls under /dev. It listens on loopback only, and refuses control requests from web pages.
 */
export async function startControl({ port }: { port: number }): Promise<Control> {
  const inbox = createInbox()
  let plane: Plane | undefined

  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch((error: unknown) => {
      if (!outgoing.headersSent) respond(outgoing, 500, { error: (error as Error).message })
      else outgoing.destroy()
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const url = URL.parse(incoming.url ?? '/', 'http://127.0.0.1')
    if (!url) return respond(outgoing, 400, { error: 'the URL is not valid' })
    if (url.pathname.startsWith('/dev/')) {
      if (!isLocal(incoming))
        return respond(outgoing, 403, { error: 'the controls accept requests from programs on this machine only' })
      return control(url, incoming, outgoing)
    }
    if (url.pathname === '/' && isForBrowser(incoming)) return showPage(incoming, outgoing)
    if (!plane) return respond(outgoing, 503, { error: 'the regions are starting' })
    if (url.pathname === '/health') return respond(outgoing, 200, { status: 'ok' })
    const body = await read(incoming)
    if (!body) return respond(outgoing, 413, { error: 'the request is too large' })
    return forward(plane, WELL_KNOWN.test(url.pathname), { incoming, outgoing, body })
  }

  async function showPage(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    // The page contains credentials and messages, so it has the same protection as the controls.
    if (!isLocal(incoming)) return respond(outgoing, 403, { error: 'the page is for browsers on this machine only' })
    const running = plane && { ...describePlane(plane, port), states: (await describe(plane)).regions }
    const page = await renderControlPage({ running, messages: inbox.list() })
    outgoing.writeHead(200, { ...documentHeaders, 'content-length': Buffer.byteLength(page) })
    outgoing.end(page)
  }

  async function control(url: URL, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET' } = incoming
    if (url.pathname === '/dev/inbox') {
      if (method === 'GET') return respond(outgoing, 200, inbox.list(url.searchParams.get('to') ?? undefined))
      if (method === 'POST') {
        const body = await read(incoming)
        return inbox.add(body?.toString() ?? '')
          ? respond(outgoing, 204)
          : respond(outgoing, 400, { error: 'the body is not a message' })
      }
    }
    if (!plane) return respond(outgoing, 503, { error: 'the regions are starting' })
    if (url.pathname === '/dev/ready' && method === 'GET') return respond(outgoing, 200, describePlane(plane, port))
    if (url.pathname === '/dev/status' && method === 'GET') return respond(outgoing, 200, await describe(plane))
    const [, name = '', action = ''] = ACTION.exec(url.pathname) ?? []
    if (!action) return respond(outgoing, 404, { error: 'no such control' })
    if (method !== 'POST') return respond(outgoing, 405, { error: 'use POST' })
    const region = plane.regions.get(name)
    if (!region) return respond(outgoing, 404, { error: `no region ${name}` })
    const settings = await readJson(incoming)
    if (action === 'kill') await region.kill()
    if (action === 'stop') await region.stop()
    if (action === 'start') await region.start()
    if ((action === 'pause' || action === 'resume') && process.platform === 'win32') {
      return respond(outgoing, 501, { error: 'Windows cannot suspend a process' })
    }
    if (action === 'pause') region.pause()
    if (action === 'resume') region.resume()
    if (action === 'clock') {
      const { ms } = (settings ?? {}) as { ms?: unknown }
      if (!Number.isInteger(ms) || Math.abs(ms as number) > FURTHEST_CLOCK_MILLISECONDS) {
        return respond(outgoing, 400, {
          error: `clock takes {"ms": N}, N from -${FURTHEST_CLOCK_MILLISECONDS} to ${FURTHEST_CLOCK_MILLISECONDS}`,
        })
      }
      region.setAhead(ms as number)
    }
    /** Undefined: both directions, and all peers. */
    const { from } = (settings ?? {}) as { from?: unknown }
    for (const link of plane.links) {
      if (link.follower !== name && (link.supplier !== name || from !== undefined)) continue
      if (from !== undefined && link.supplier !== from) continue
      if (action === 'cut') {
        link.proxy.cut()
        link.cut = true
      }
      if (action === 'heal') {
        link.proxy.heal()
        link.proxy.slow(0)
        link.proxy.throttle(0)
        Object.assign(link, { cut: false, slowMilliseconds: 0, bytesPerSecond: 0 })
      }
      if (action === 'slow') {
        const { ms } = (settings ?? {}) as { ms?: unknown }
        if (!Number.isInteger(ms) || (ms as number) < 0 || (ms as number) > 60_000) {
          return respond(outgoing, 400, { error: 'slow takes {"ms": N}, N from 0 to 60000' })
        }
        link.proxy.slow(ms as number)
        link.slowMilliseconds = ms as number
      }
      if (action === 'throttle') {
        const { bytesPerSecond } = (settings ?? {}) as { bytesPerSecond?: unknown }
        if (!Number.isSafeInteger(bytesPerSecond) || (bytesPerSecond as number) < 0) {
          return respond(outgoing, 400, { error: 'throttle takes {"bytesPerSecond": N}, N 0 or more' })
        }
        link.proxy.throttle(bytesPerSecond as number)
        link.bytesPerSecond = bytesPerSecond as number
      }
    }
    return respond(outgoing, 200, describeRegion(plane, region))
  }

  return {
    attach: (running) => {
      plane = running
    },
    close: async () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** The line that `--json` prints once all regions are ready: everything a program needs to use the plane. */
export interface Ready {
  event: 'ready'
  control: string
  regions: Record<string, { endpoint: string; metrics: string }>
  credentials: { accessKeyId: string; secretAccessKey: string }
}

export function describePlane(plane: Plane, port: number): Ready {
  return {
    event: 'ready',
    control: `http://127.0.0.1:${port}`,
    regions: Object.fromEntries(
      [...plane.regions].map(([name, { endpoint }]) => [name, { endpoint, metrics: `${endpoint}/metrics` }]),
    ),
    credentials: plane.credentials,
  }
}

/** Forwards a request to the first region that accepts it: the primary region while it is up, else another one. */
async function forward(
  plane: Plane,
  wantsFound: boolean,
  { incoming, outgoing, body }: { incoming: IncomingMessage; outgoing: ServerResponse; body: Buffer },
): Promise<void> {
  const running = [...plane.regions.values()].filter(({ state, paused }) => state === 'running' && !paused)
  for (const [at, region] of running.entries()) {
    try {
      const response = await pass(region, incoming, body)
      const isLast = at === running.length - 1
      // A region without the pool returns an error; another region may hold it.
      if (!isLast && (response.statusCode ?? 500) >= (wantsFound ? 400 : 500)) {
        response.resume()
        continue
      }
      outgoing.writeHead(response.statusCode ?? 502, { ...response.headers, 'x-twinpool-region': region.name })
      // If the region is killed during its response, the response to the caller is aborted too.
      pipeline(response, outgoing, () => {})
      return
    } catch {
      // The region has just become unreachable: try the next one.
    }
  }
  respond(outgoing, 503, { __type: 'InternalErrorException', message: 'No region responds.' })
}

async function pass(
  region: RegionProcess,
  { method, url, headers }: IncomingMessage,
  body: Buffer,
): Promise<IncomingMessage> {
  const { hostname, port } = new URL(region.endpoint)
  const { connection: _, 'transfer-encoding': __, ...kept } = headers
  const outward = request({ hostname, port, method, path: url, headers: { ...kept, 'content-length': body.length } })
  // A paused region accepts connections but never responds.
  outward.setTimeout(FORWARD_PATIENCE_MILLISECONDS, () => outward.destroy(new Error('no response in time')))
  outward.end(body)
  const [response] = (await once(outward, 'response')) as [IncomingMessage]
  return response
}

async function describe(plane: Plane): Promise<{ regions: Record<string, RegionState> }> {
  const regions = await Promise.all(
    [...plane.regions.values()].map(async (region) => {
      const [health, replication] = await Promise.all([healthOf(region), replicationOf(plane, region)])
      return [region.name, { ...describeRegion(plane, region), health, replication }]
    }),
  )
  return { regions: Object.fromEntries(regions) }
}

function describeRegion(
  plane: Plane,
  { name, endpoint, state, paused, aheadMilliseconds, pid, logFile }: RegionProcess,
) {
  return {
    name,
    endpoint,
    state,
    paused,
    clockAheadMilliseconds: aheadMilliseconds,
    pid,
    log: logFile,
    links: plane.links
      .filter(({ follower }) => follower === name)
      .map(({ supplier, cut, slowMilliseconds, bytesPerSecond }) => ({
        from: supplier,
        cut,
        slowMilliseconds,
        bytesPerSecond,
      })),
  }
}

async function healthOf({ endpoint, state }: RegionProcess): Promise<RegionState['health']> {
  if (state !== 'running') return undefined
  try {
    const response = await fetch(`${endpoint}/health`, { signal: AbortSignal.timeout(HEALTH_PATIENCE_MILLISECONDS) })
    return (await response.json()) as RegionState['health']
  } catch {
    return { status: 'silent' }
  }
}

/** Peers, lag and copies, as the region itself reports them. */
async function replicationOf(
  { credentials }: Plane,
  { name, endpoint, state }: RegionProcess,
): Promise<RegionState['replication']> {
  if (state !== 'running') return undefined
  const ask = createServiceCaller({
    ...{ endpoint, region: name, credentials },
    patienceMilliseconds: HEALTH_PATIENCE_MILLISECONDS,
  })
  return ask<NonNullable<RegionState['replication']>>('GetReplicationStatus', {}).catch(() => undefined)
}

/** Browsers ask for HTML at `/`; programs get what the router returns. */
const isForBrowser = ({ method, headers }: IncomingMessage): boolean =>
  (method === 'GET' || method === 'HEAD') && acceptsDocument(headers.accept)

/** Refuses requests from web pages (by their Origin) and requests under foreign host names (DNS rebinding). */
function isLocal({ headers }: IncomingMessage): boolean {
  const name = headers.host?.replace(/:\d+$/, '')
  return (
    (name === '127.0.0.1' || name === 'localhost') &&
    (headers.origin === undefined || headers.origin === `http://${headers.host}`)
  )
}

async function read(incoming: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
    size += (chunk as Buffer).length
    if (size > BODY_BYTES) return undefined
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

async function readJson(incoming: IncomingMessage): Promise<unknown> {
  try {
    return JSON.parse((await read(incoming))?.toString() || '{}')
  } catch {
    return undefined
  }
}

function respond(outgoing: ServerResponse, status: number, value?: unknown): void {
  outgoing.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  outgoing.end(value === undefined ? undefined : `${JSON.stringify(value)}\n`)
}
