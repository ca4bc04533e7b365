import { Hono } from 'hono'
import type { Overload } from '../admission/overload.ts'
import type { Context } from '../context.ts'
import { checkHealth } from './health.ts'

/** `GET /health` and `GET /metrics`. */
export function createConsoleRoutes(
  context: Pick<Context, 'region' | 'store' | 'keyProvider' | 'serviceKeyArn' | 'events'>,
  overload: Pick<Overload, 'recent'>,
): Hono {
  const app = new Hono()
  app.get('/health', async (c) => {
    const health = await checkHealth(context, overload.recent())
    return c.json(health, health.status === 'ok' ? 200 : 503, { 'cache-control': 'no-store' })
  })
  app.get('/metrics', async (c) => {
    const { events } = context
    const { checks } = await checkHealth(context, undefined)
    for (const [check, { ok }] of Object.entries(checks)) events.healthy({ check, ok })
    return c.body(await events.registry.metrics(), 200, { 'content-type': events.registry.contentType })
  })
  return app
}
