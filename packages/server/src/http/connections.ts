import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import type { Overload } from '../admission/overload.ts'
import type { ResourceUse } from '../events/events.ts'

/** File descriptors reserved for other uses: files, and connections to peers and to the key service. */
const RESERVED_FILES = 64
/** Used where the system does not report its limit. */
const DEFAULT_OPEN_FILES = 1_024

/** Maximum client connections of this process: the open-file limit minus the descriptors that the region itself needs. */
export function maximumConnections({ storeConnections }: { storeConnections: number }): number {
  return Math.max(16, openFilesLimit() - RESERVED_FILES - storeConnections)
}

/** The soft limit. https://man7.org/linux/man-pages/man5/proc_pid_limits.5.html */
function openFilesLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? DEFAULT_OPEN_FILES : Number(soft)
  } catch {
    return DEFAULT_OPEN_FILES
  }
}

/**
 * Limits a server to `maximum` connections: each new connection above it ends the connection that has been idle for longest,
 * whether or not that connection ever sent a request. Connections with a request in progress are not ended. Returns their number.
 */
export function limitConnections(
  server: Server,
  { maximum, overload }: { maximum: number; overload: Overload },
): { usage(): ResourceUse } {
  let open = 0
  /** By the caller's address and port, which the TLS socket and the TCP socket below it share; the longest idle is first. */
  const idle = new Map<string, Socket>()
  server.on('connection', (socket: Socket) => {
    const name = nameOf(socket)
    open += 1
    idle.set(name, socket)
    socket.once('close', () => {
      open -= 1
      idle.delete(name)
    })
    if (open <= maximum) return
    const [longest] = idle
    if (!longest) return
    idle.delete(longest[0])
    longest[1].destroy()
    overload.noted(`${maximum} connections were open: idle connections were closed`)
  })
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    const name = nameOf(socket)
    idle.delete(name)
    response.on('close', () => {
      if (!socket.destroyed) idle.set(name, socket)
    })
  })
  return { usage: () => ({ resource: 'connections', used: open, limit: maximum }) }
}

const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`
