/** One direction of a replication link as a TCP proxy that can be cut and slowed, to simulate network faults on one machine. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface LinkProxy {
  /** The port on 127.0.0.1 to connect to in place of the target's. */
  port: number
  /** Resets open connections, and refuses new ones (closes them at once) until `heal`. */
  cut(): void
  heal(): void
  /** Delays every chunk by `ms` milliseconds in each direction; 0 ends the delay and sends all held chunks at once. */
  slow(ms: number): void
  /** Limits the bytes per second of all connections together, separately in each direction; 0 ends the limit. */
  throttle(bytesPerSecond: number): void
  /** Resets open connections and stops listening. */
  close(): Promise<void>
}

export interface LinkProxyOptions {
  /** A function is called for each new connection. */
  targetPort: number | (() => number)
  targetHost?: string
  /** Undefined or 0: any free port. */
  port?: number
}

/** Maximum bytes held per direction; above it the source is paused. */
const holdLimitBytes = 256 * 1024

/** A throttled line sends this many slices per second, so that bytes trickle like on a slow line. */
const slicesPerSecond = 20

/** The throttled bandwidth of one direction, shared by its lines. */
interface Bandwidth {
  bytesPerSecond: number
  /** When the bytes sent so far have passed, by performance.now(). */
  freeAt: number
}

interface Line {
  /** Sends all chunks whose delay is over. */
  advance(): void
  dispose(): void
}

export async function startLinkProxy(options: LinkProxyOptions): Promise<LinkProxy> {
  const { targetPort, targetHost = '127.0.0.1', port = 0 } = options
  const sockets = new Set<Socket>()
  const lines = new Set<Line>()
  let severed = false
  let delayMs = 0
  const bandwidths: [Bandwidth, Bandwidth] = [
    { bytesPerSecond: 0, freeAt: 0 },
    { bytesPerSecond: 0, freeAt: 0 },
  ]

  const finish = (line: Line) => {
    lines.delete(line)
    line.dispose()
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (caller) => {
    if (severed) {
      caller.on('error', () => undefined)
      sever(caller)
      return
    }
    const to = typeof targetPort === 'number' ? targetPort : targetPort()
    const target = connect({ host: targetHost, port: to, allowHalfOpen: true, noDelay: true })
    const pair = [caller, target]
    const [towards, back] = bandwidths
    const ours = [
      joinLine(caller, target, { delay: () => delayMs, bandwidth: towards }),
      joinLine(target, caller, { delay: () => delayMs, bandwidth: back }),
    ]
    for (const line of ours) lines.add(line)
    for (const socket of pair) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', (hadError) => {
        sockets.delete(socket)
        // After a clean end the other side may still send; after a reset the other side must see the reset too, as on a real
        // network.
        if (hadError) for (const end of pair) sever(end)
        if (pair.every((end) => end.closed)) for (const line of ours) finish(line)
      })
    }
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')

  const breakAll = () => {
    for (const line of lines) finish(line)
    for (const socket of sockets) sever(socket)
  }
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => {
      severed = true
      breakAll()
    },
    heal: () => {
      severed = false
    },
    slow: (ms) => {
      if (!Number.isFinite(ms) || ms < 0) throw new RangeError('slow takes milliseconds, 0 or more')
      delayMs = ms
      for (const line of lines) line.advance()
    },
    throttle: (bytesPerSecond) => {
      if (!Number.isFinite(bytesPerSecond) || bytesPerSecond < 0) {
        throw new RangeError('throttle takes bytes per second, 0 or more')
      }
      for (const bandwidth of bandwidths) Object.assign(bandwidth, { bytesPerSecond, freeAt: 0 })
      for (const line of lines) line.advance()
    },
    close: async () => {
      breakAll()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
}

/** Resets a connection, so that the other end notices at once. */
export function sever(socket: Socket): void {
  // While a socket is ending, libuv refuses to reset it (EINVAL), and Node then leaves it open forever.
  const ending = socket.writableEnded && !socket.writableFinished
  if (socket.connecting || ending) socket.destroy()
  else socket.resetAndDestroy()
}

/**
 * Carries one direction. Chunks, and the end of the stream after them, leave in their order of arrival, each when its delay is
 * over and the bandwidth is free. The source is paused while too many bytes are held or the destination is full.
 */
function joinLine(
  source: Socket,
  destination: Socket,
  { delay, bandwidth }: { delay: () => number; bandwidth: Bandwidth },
): Line {
  const held: { chunk: Buffer | 'end'; arrivedAt: number }[] = []
  let heldBytes = 0
  let blocked = false
  let timer: NodeJS.Timeout | undefined
  let disposed = false

  const advance = () => {
    clearTimeout(timer)
    if (disposed) return
    while (held[0] !== undefined && !blocked) {
      const { chunk, arrivedAt } = held[0]
      const { bytesPerSecond, freeAt } = bandwidth
      const now = performance.now()
      const waitMs = Math.max(arrivedAt + delay(), bytesPerSecond > 0 ? freeAt : 0) - now
      if (waitMs > 0) {
        timer = setTimeout(advance, Math.ceil(waitMs))
        break
      }
      if (chunk === 'end') {
        held.shift()
        destination.end()
        continue
      }
      const slice = bytesPerSecond > 0 ? chunk.subarray(0, Math.ceil(bytesPerSecond / slicesPerSecond)) : chunk
      if (bytesPerSecond > 0) bandwidth.freeAt = Math.max(now, freeAt) + (slice.length / bytesPerSecond) * 1_000
      if (slice.length === chunk.length) held.shift()
      else held[0].chunk = chunk.subarray(slice.length)
      heldBytes -= slice.length
      blocked = !destination.write(slice)
    }
    if (heldBytes < holdLimitBytes && !blocked) source.resume()
    else source.pause()
  }

  const hold = (chunk: Buffer | 'end') => {
    held.push({ chunk, arrivedAt: performance.now() })
    if (chunk !== 'end') heldBytes += chunk.length
    advance()
  }
  source.on('data', hold)
  source.on('end', () => hold('end'))
  destination.on('drain', () => {
    blocked = false
    advance()
  })
  const dispose = () => {
    disposed = true
    clearTimeout(timer)
  }
  return { advance, dispose }
}
