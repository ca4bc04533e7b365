import { setImmediate } from 'node:timers/promises'
import { Hono } from 'hono'
import type { Context } from '../context.ts'
import type { Replication } from '../replication/replication.ts'
import { acceptsDocument, documentHeaders } from './document.ts'
import { checkHealth, type Health, type HealthSources, inTime, stoppingHealth } from './health.ts'
import { type MetricsSources, readMetrics } from './metrics.ts'
import { type PageState, renderPage } from './page.ts'

type ConsoleContext = Pick<
  Context,
  'region' | 'endpoint' | 'issuerBase' | 'parity' | 'clock' | 'store' | 'keyProvider' | 'serviceKeyArn' | 'events'
>

export interface ConsoleSources extends MetricsSources {
  replication: Pick<Replication, 'links' | 'backlogs' | 'closedReplicas' | 'skewedClocks' | 'status'>
}

/** The page is public: its state is read at most once in this time, however often it is requested. */
const STATE_MILLISECONDS = 1_000

/** `GET /health`, `GET /metrics`, and `GET /` for browsers. */
export function createConsoleRoutes(context: ConsoleContext, sources: ConsoleSources): Hono {
  const app = createHealthRoute(context, sources, (health) => health)
  const read = shared(() => readMetrics(context, sources))
  let callers = 0
  app.get('/metrics', async (c) => {
    if (callers >= METRICS_CALLERS) return c.text('too many requests for the metrics', 503, { 'retry-after': '1' })
    callers += 1
    const text = await read().finally(() => {
      callers -= 1
    })
    return c.body(text, 200, { 'content-type': context.events.registry.contentType })
  })

  const readState = recent(context, async () => {
    const [health, status] = await Promise.all([
      checkHealth(context, sources).catch(() => undefined),
      inTime(() => sources.replication.status()).catch(() => undefined),
    ])
    return { health, replication: status, now: context.clock.now() } satisfies PageState
  })
  app.get('/', async (c, next) => {
    // For other clients this path belongs to the API, which has no GET.
    if (!acceptsDocument(c.req.header('accept'))) return next()
    return c.body(await renderPage(context, await readState()), 200, { ...documentHeaders })
  })
  return app
}

/** Callers that share one run of `shared`. Writing a response of some kilobytes takes the time of a call. */
const SHARING = 16
/** Requests for the metrics in progress: their connections cannot be closed for new ones. */
const METRICS_CALLERS = 64

/**
 * One run of `read` at a time. The callers that arrive during a run share the next ones, which begin after their call; other work of
 * the process runs in between.
 */
function shared<T>(read: () => Promise<T>): () => Promise<T> {
  const waiting: PromiseWithResolvers<T>[] = []
  let running = false
  const run = async (): Promise<void> => {
    running = true
    while (waiting.length > 0) {
      const callers = waiting.splice(0, SHARING)
      await read().then(
        (value) => {
          for (const { resolve } of callers) resolve(value)
        },
        (error: unknown) => {
          for (const { reject } of callers) reject(error)
        },
      )
      await setImmediate()
    }
    running = false
  }
  return () => {
    const caller = Promise.withResolvers<T>()
    waiting.push(caller)
    if (!running) void run()
    return caller.promise
  }
}

/** `GET /health` without details: on the port of the API, when there is a management port. */
export const createBriefHealthRoute = (context: ConsoleContext, sources: HealthSources): Hono =>
  createHealthRoute(context, sources, ({ status, region }) => ({ status, region }))

function createHealthRoute(
  context: ConsoleContext,
  sources: HealthSources,
  describe: (health: Health) => Partial<Health>,
): Hono {
  const app = new Hono()
  const read = shared(() => checkHealth(context, sources))
  app.get('/health', async (c) => {
    const health = sources.isStopping() ? stoppingHealth(context) : await read()
    return c.json(describe(health), health.status === 'failing' ? 503 : 200, { 'cache-control': 'no-store' })
  })
  return app
}

/** Caches the result of `read` for STATE_MILLISECONDS; concurrent callers share one call. */
function recent<T>({ clock }: Pick<Context, 'clock'>, read: () => Promise<T>): () => Promise<T> {
  let reading: Promise<T> | undefined
  let readAt = Number.NEGATIVE_INFINITY
  return () => {
    if (!reading || clock.monotonic() - readAt > STATE_MILLISECONDS) {
      readAt = Number.POSITIVE_INFINITY
      reading = read().finally(() => {
        readAt = clock.monotonic()
      })
    }
    return reading
  }
}
