import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import type { Overload } from '../admission/overload.ts'

/** What else a process has open: files, the store's connections, those to peers and to the key service. */
const RESERVED = 64
/** Where the system does not say how many there may be. */
const PRESUMED_OPEN_FILES = 1_024

/** How many connections a process may take so that something is left to answer them with. */
export function mostConnections({ ofTheStore }: { ofTheStore: number }): number {
  return Math.max(16, openFiles() - RESERVED - ofTheStore)
}

/** https://man7.org/linux/man-pages/man5/proc_pid_limits.5.html */
function openFiles(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? PRESUMED_OPEN_FILES : Number(soft)
  } catch {
    return PRESUMED_OPEN_FILES
  }
}

/**
 * Keeps a server from having more connections than `most`: for a new one, that which has been without a request for longest is
 * ended; one that never had any is no better. Connections with a call under way are not touched.
 */
export function boundConnections(server: Server, { most, overload }: { most: number; overload: Overload }): void {
  let open = 0
  /** By the caller's address and port, which a TLS connection shares with the one below it; the longest idle is first. */
  const idle = new Map<string, Socket>()
  server.on('connection', (socket: Socket) => {
    const name = nameOf(socket)
    open += 1
    idle.set(name, socket)
    socket.once('close', () => {
      open -= 1
      idle.delete(name)
    })
    if (open <= most) return
    const [longest] = idle
    if (!longest) return
    idle.delete(longest[0])
    longest[1].destroy()
    overload.noted(`${most} connections were open: idle ones were ended`)
  })
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    const name = nameOf(socket)
    idle.delete(name)
    response.on('close', () => {
      if (!socket.destroyed) idle.set(name, socket)
    })
  })
}

const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`
