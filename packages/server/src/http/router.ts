import { Hono, type Context as HonoContext } from 'hono'

type Fetch = (request: Request, bindings?: object) => Response | Promise<Response>

/** One application out of what the faces mount, each at its own paths. */
export function createRouter({
  mounted,
  fallback,
}: {
  mounted: readonly Hono[]
  /** For a path that nobody has, and for what a route throws. */
  fallback: { notFound(c: HonoContext): Response; failed(error: unknown, c: HonoContext): Response }
}): { fetch: Fetch } {
  const app = new Hono()
  for (const part of mounted) app.route('/', part)
  app.notFound(fallback.notFound)
  app.onError(fallback.failed)
  return { fetch: app.fetch }
}
