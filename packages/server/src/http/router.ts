import { Hono, type Context as HonoContext } from 'hono'
import type { Clock } from '../clock.ts'
import { inRequest } from '../events/request-scope.ts'
import { addressOf } from './address.ts'

type Fetch = (request: Request, bindings?: object) => Response | Promise<Response>

/** Combines the routes of all faces into one application. */
export function createRouter({
  mounted,
  fallback,
  clock,
}: {
  mounted: readonly Hono[]
  /** Handles unknown paths, and errors thrown by routes. */
  fallback: { notFound(c: HonoContext): Response; failed(error: unknown, c: HonoContext): Response }
  clock: Pick<Clock, 'uuid'>
}): { fetch: Fetch } {
  const app = new Hono()
  app.use((c, next) => inRequest({ requestId: clock.uuid(), address: addressOf(c) }, next))
  for (const routes of mounted) app.route('/', routes)
  app.notFound(fallback.notFound)
  app.onError(fallback.failed)
  return { fetch: app.fetch }
}
