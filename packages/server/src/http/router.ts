import type { IncomingMessage } from 'node:http'
import { Hono, type Context as HonoContext } from 'hono'
import type { Clock } from '../clock.ts'
import { inRequest } from '../events/request-scope.ts'

type Fetch = (request: Request, bindings?: object) => Response | Promise<Response>

/** Combines the routes of all faces into one application. */
export function createRouter({
  mounted,
  fallback,
  clock,
  addressOf,
}: {
  mounted: readonly Hono[]
  /** Handles unknown paths, and errors thrown by routes. */
  fallback: { notFound(c: HonoContext): Response; failed(error: unknown, c: HonoContext): Response }
  clock: Pick<Clock, 'uuid'>
  addressOf(incoming: IncomingMessage): string
}): { fetch: Fetch } {
  const app = new Hono()
  app.use((c, next) => {
    // Absent for a request without a connection.
    const { incoming } = (c.env ?? {}) as { incoming?: IncomingMessage }
    return inRequest({ requestId: clock.uuid(), address: incoming ? addressOf(incoming) : '' }, next)
  })
  for (const routes of mounted) app.route('/', routes)
  app.notFound(fallback.notFound)
  app.onError(fallback.failed)
  return { fetch: app.fetch }
}
