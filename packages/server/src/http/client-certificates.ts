import type { TLSSocket } from 'node:tls'
import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'

/** Refuses requests of a path whose connection has no certificate of the configured CA. Mount it before the routes of the path. */
export function requireClientCertificate(path: string): Hono {
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.use(path, async (c, next) => {
    const socket = c.env.incoming.socket as TLSSocket
    if (!socket.authorized) return c.json({ reason: 'client-certificate' }, 403)
    return next()
  })
  return app as unknown as Hono
}
