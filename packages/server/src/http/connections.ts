import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import type { Overload } from '../admission/overload.ts'
import type { ResourceUse } from '../events/events.ts'

/** File descriptors reserved for other uses: files, and connections to peers and to the key service. */
const RESERVED_FILES = 64
/** Used where the system does not report its limit. */
const DEFAULT_OPEN_FILES = 1_024
/** Maximum requests of one connection without a complete response; no SDK and no proxy sends a second one. */
const PIPELINED_REQUESTS = 4
/** Maximum connections that are examined for progress before one is closed. */
const SECOND_CHANCES = 16

/** Maximum connections of the management port. */
export const MANAGEMENT_CONNECTIONS = 64

/** Maximum client connections of this process: the open-file limit minus the descriptors that the region itself needs. */
export function maximumConnections({ otherConnections }: { otherConnections: number }): number {
  return Math.max(16, openFilesLimit() - RESERVED_FILES - otherConnections)
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

interface Connection {
  /** The TLS socket, as soon as there is one. */
  socket: Socket
  /** Requests without a complete response. */
  requests: number
  /** Requests that the region is working on: complete, and without a response yet. */
  working: number
  /** When progress was last examined. */
  progress: number
}

/**
 * Limits the connections of a server. A connection waits for its client while it is idle, sends a request or has an unread response.
 *
 * - Each new connection above `maximum` closes the one that has waited without progress for longest.
 * - A connection that waits without progress for the time of `server.timeout`, or for the keep-alive timeout while idle, is closed.
 *
 * While the region works on a request, its connection is never closed: the time of that work has other limits. Returns their number.
 */
export function limitConnections(
  server: Server,
  { maximum, overload }: { maximum: number; overload: Overload },
): { usage(): ResourceUse } {
  /** By the caller's address and port, which the TLS socket and the TCP socket below it share. */
  const open = new Map<string, Connection>()
  /** Longest without progress first. */
  const waiting = new Set<Connection>()
  const wait = (connection: Connection): void => {
    waiting.delete(connection)
    connection.progress = progressOf(connection)
    waiting.add(connection)
  }
  const closeOne = (): void => {
    let chances = SECOND_CHANCES
    for (const connection of waiting) {
      chances -= 1
      if (chances > 0 && progressOf(connection) > connection.progress) wait(connection)
      else {
        waiting.delete(connection)
        connection.socket.destroy()
        overload.noted(`${maximum} connections were open: those without progress were closed`)
        return
      }
    }
  }

  server.on('connection', (socket: Socket) => {
    const name = nameOf(socket)
    const connection: Connection = { socket, requests: 0, working: 0, progress: 0 }
    open.set(name, connection)
    wait(connection)
    socket.once('close', () => {
      open.delete(name)
      waiting.delete(connection)
    })
    if (open.size > maximum) closeOne()
  })

  // Before the listener that handles the request, which checks whether the connection was closed.
  server.prependListener('request', (incoming: IncomingMessage, response: ServerResponse) => {
    const { socket } = incoming
    const connection = open.get(nameOf(socket))
    if (!connection) return
    connection.socket = socket
    connection.requests += 1
    if (connection.requests > PIPELINED_REQUESTS) {
      overload.noted(`a connection had ${PIPELINED_REQUESTS} requests without a response: it was closed`)
      return void socket.destroy()
    }
    wait(connection)
    let state: 'receiving' | 'working' | 'responding' = 'receiving'
    const work = (): void => {
      if (state !== 'receiving') return
      state = 'working'
      connection.working += 1
      waiting.delete(connection)
    }
    const respond = (): void => {
      if (state === 'working') connection.working -= 1
      state = 'responding'
      if (connection.working === 0 && !socket.destroyed) wait(connection)
    }
    if (hasBody(incoming)) incoming.once('end', work)
    else work()
    response.once('prefinish', respond)
    response.once('close', () => {
      connection.requests -= 1
      respond()
    })
  })

  server.on('timeout', (socket: Socket) => {
    const connection = open.get(nameOf(socket))
    // The timer stops when it fires; the work on a request takes as long as it takes.
    if (connection && connection.working > 0) socket.setTimeout(socket.timeout ?? 0)
    else socket.destroy()
  })
  return { usage: () => ({ resource: 'connections', used: open.size, limit: maximum }) }
}

/** Grows with every byte that the client sends or reads. */
const progressOf = ({ socket }: Connection): number => socket.bytesRead - socket.writableLength

/** RFC 9112 §6.3. */
const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`
