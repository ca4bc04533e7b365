/** Starts cognito-local as its own command does, with its files in the working directory. */
import { createRequire } from 'node:module'
import { connect } from 'node:net'

const port = Number(process.env.PORT)
createRequire(import.meta.url)('cognito-local/lib/bin/start.js')
while (!(await listens())) await new Promise((resolve) => setTimeout(resolve, 50))
process.send?.({ endpoint: `http://127.0.0.1:${port}` })
process.once('disconnect', () => process.exit(0))

function listens(): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ host: '127.0.0.1', port }, () => resolve(true)).once('error', () => resolve(false))
  return promise.finally(() => socket.destroy())
}
