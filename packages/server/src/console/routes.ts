import { Hono } from 'hono'
import type { Overload } from '../admission/overload.ts'
import type { Context } from '../context.ts'
import type { Replication } from '../replication/replication.ts'
import { acceptsDocument, documentHeaders } from './document.ts'
import { checkHealth, inTime, stoppingHealth } from './health.ts'
import { type PageState, renderPage } from './page.ts'

type ConsoleContext = Pick<
  Context,
  'region' | 'endpoint' | 'issuerBase' | 'parity' | 'clock' | 'store' | 'keyProvider' | 'serviceKeyArn' | 'events'
>

/** The page is public: its state is read at most once in this time, however often it is requested. */
const STATE_MILLISECONDS = 1_000

/** `GET /health`, `GET /metrics`, and `GET /` for browsers. */
export function createConsoleRoutes(
  context: ConsoleContext,
  overload: Pick<Overload, 'recent'>,
  replication: Pick<Replication, 'status'>,
  isStopping: () => boolean,
): Hono {
  const app = new Hono()
  app.get('/health', async (c) => {
    const health = isStopping() ? stoppingHealth(context) : await checkHealth(context, overload.recent())
    return c.json(health, health.status === 'ok' ? 200 : 503, { 'cache-control': 'no-store' })
  })
  app.get('/metrics', async (c) => {
    const { events } = context
    const { checks } = await checkHealth(context, undefined)
    for (const [check, { ok }] of Object.entries(checks)) events.healthy({ check, ok })
    return c.body(await events.registry.metrics(), 200, { 'content-type': events.registry.contentType })
  })

  const readState = recent(context, async () => {
    const [health, status] = await Promise.all([
      checkHealth(context, overload.recent()).catch(() => undefined),
      inTime(() => replication.status()).catch(() => undefined),
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
