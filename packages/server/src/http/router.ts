import { Hono, type Context as HonoContext } from 'hono'

type Fetch = (request: Request, bindings?: object) => Response | Promise<Response>

/** Combines the routes of all faces into one application. */
export function createRouter({
  mounted,
  fallback,
}: {
  mounted: readonly Hono[]
  /** Handles unknown paths, and errors thrown by routes. */
  fallback: { notFound(c: HonoContext): Response; failed(error: unknown, c: HonoContext): Response }
}): { fetch: Fetch } {
  const app = new Hono()
  for (const routes of mounted) app.route('/', routes)
  app.notFound(fallback.notFound)
  app.onError(fallback.failed)
  return { fetch: app.fetch }
}
