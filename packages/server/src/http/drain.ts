import type { ServerResponse } from 'node:http'
import type { NodeServer } from './server.ts'

/**
 * Returns a function that drains a server: it accepts no new connections, each connection closes after the response in progress,
 * and all connections close at the deadline.
 */
export function drainable(server: NodeServer): (deadline: Promise<void>) => Promise<void> {
  const inProgress = new Set<ServerResponse>()
  let closing = false
  let drained = Promise.withResolvers<void>()
  server.prependListener('request', (_, response: ServerResponse) => {
    if (closing) response.shouldKeepAlive = false
    inProgress.add(response)
    response.on('close', () => {
      inProgress.delete(response)
      if (closing && inProgress.size === 0) drained.resolve()
    })
  })
  return async (deadline) => {
    closing = true
    for (const response of inProgress) response.shouldKeepAlive = false
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    if (inProgress.size > 0) {
      drained = Promise.withResolvers()
      await Promise.race([drained.promise, deadline])
    }
    server.closeAllConnections()
    await closed
  }
}
