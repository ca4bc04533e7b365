import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const AT_ONCE = 250

/** Opens connections, some at a time, sends the text on each, and leaves them open. */
export async function openConnections(endpoint: string, count: number, words: string | Buffer = ''): Promise<Socket[]> {
  const { hostname, port } = new URL(endpoint)
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - sockets.length) }, () => {
      const socket = connect({ host: hostname, port: Number(port) })
      socket.on('error', () => {})
      if (words.length > 0) socket.write(words)
      return socket
    })
    // Wait for the response to a complete request: otherwise a slow machine would treat these clients as slow ones.
    const sign = typeof words === 'string' && words.endsWith('\r\n\r\n') ? 'data' : 'connect'
    await Promise.all(some.map((socket) => Promise.race([once(socket, sign), once(socket, 'close')]).catch(() => {})))
    sockets.push(...some)
  }
  return sockets
}

/** The head of an API call as it is sent. */
export const headOf = (headers: Record<string, string>): string =>
  `POST / HTTP/1.1\r\nhost: localhost\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`
