import type { IncomingMessage } from 'node:http'
import { isIP, type Socket } from 'node:net'
import type { TrustedProxies } from './address.ts'
import type { NodeServer } from './server.ts'

/**
 * The PROXY protocol, versions 1 and 2 (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt): a proxy begins a connection
 * with a header that names the address of its client. It is read from trusted proxies only, and they may leave it out.
 */

/** The longest header of version 1; of version 2 without extensions it is 232 bytes, and longer ones have a bound here. */
const MAX_V1_BYTES = 107
const MAX_V2_BYTES = 2_048
const V1_START = Buffer.from('PROXY ')
const V2_START = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V2_FIXED_BYTES = 16

/** `address`: undefined if the proxy speaks for itself (a health check), or names no IP address. `size`: bytes of the header. */
interface Header {
  address: string | undefined
  size: number
}

/** Reads the header at the start of a connection. `none`: there is none. `more`: more bytes are needed. `invalid`: close it. */
export function readHeader(bytes: Buffer): Header | 'none' | 'more' | 'invalid' {
  for (const [start, read] of [
    [V1_START, readV1],
    [V2_START, readV2],
  ] as const) {
    const length = Math.min(start.length, bytes.length)
    if (bytes.subarray(0, length).equals(start.subarray(0, length))) return length < start.length ? 'more' : read(bytes)
  }
  return 'none'
}

function readV1(bytes: Buffer): Header | 'more' | 'invalid' {
  const end = bytes.subarray(0, MAX_V1_BYTES).indexOf('\r\n')
  if (end < 0) return bytes.length < MAX_V1_BYTES ? 'more' : 'invalid'
  const [, family = '', source = ''] = bytes.toString('latin1', 0, end).split(' ')
  const size = end + 2
  if (family === 'UNKNOWN') return { address: undefined, size }
  const version = { TCP4: 4, TCP6: 6 }[family]
  return version !== undefined && isIP(source) === version ? { address: source, size } : 'invalid'
}

function readV2(bytes: Buffer): Header | 'more' | 'invalid' {
  if (bytes.length < V2_FIXED_BYTES) return 'more'
  const [command, family] = [bytes.readUInt8(12), bytes.readUInt8(13) >> 4]
  const size = V2_FIXED_BYTES + bytes.readUInt16BE(14)
  if (command >> 4 !== 2 || size > MAX_V2_BYTES) return 'invalid'
  if (bytes.length < size) return 'more'
  const isLocal = (command & 0x0f) === 0
  const addresses = bytes.subarray(V2_FIXED_BYTES, size)
  if (isLocal || (family !== 1 && family !== 2)) return { address: undefined, size }
  if (addresses.length < (family === 1 ? 12 : 36)) return 'invalid'
  const address =
    family === 1
      ? addresses.subarray(0, 4).join('.')
      : Array.from({ length: 8 }, (_, at) => addresses.readUInt16BE(2 * at).toString(16)).join(':')
  return { address, size }
}

/** Reads the headers of trusted proxies. */
export interface ProxyProtocol {
  /** Reads the header of each connection before the server sees the connection. Call it after all other listeners are added. */
  accept(server: NodeServer): void
  /** The other end of a request: the address in the header, or the one of the connection; '' for a closed connection. */
  peerOf(incoming: IncomingMessage): string
}

/** @param limits `seconds`: the time for a header to arrive */
export function createProxyProtocol({
  isTrusted,
  seconds,
}: {
  isTrusted: TrustedProxies
  seconds: number
}): ProxyProtocol {
  const named = new Map<string, string>()
  const receive = (socket: Socket, serve: () => void): void => {
    const name = nameOf(socket)
    const deadline = setTimeout(() => socket.destroy(), seconds * 1_000)
    const ignoreError = (): void => {}
    let bytes = Buffer.alloc(0)
    const read = (): void => {
      const chunk = socket.read() as Buffer | null
      if (chunk === null) return
      bytes = Buffer.concat([bytes, chunk])
      const header = readHeader(bytes)
      if (header === 'more') return
      clearTimeout(deadline)
      socket.off('readable', read)
      if (header === 'invalid') {
        socket.destroy()
        return
      }
      if (header !== 'none' && header.address !== undefined) named.set(name, header.address)
      const rest = header === 'none' ? bytes : bytes.subarray(header.size)
      if (rest.length > 0) socket.unshift(rest)
      socket.off('error', ignoreError)
      serve()
    }
    socket.on('error', ignoreError)
    socket.once('close', () => {
      clearTimeout(deadline)
      named.delete(name)
    })
    socket.on('readable', read)
  }
  return {
    accept: (server) => {
      const listeners = server.listeners('connection') as ((socket: Socket) => void)[]
      server.removeAllListeners('connection')
      server.on('connection', (socket: Socket) => {
        const serve = (): void => {
          for (const listener of listeners) listener.call(server, socket)
        }
        if (isTrusted(socket.remoteAddress ?? '')) receive(socket, serve)
        else serve()
      })
    },
    peerOf: ({ socket }) => named.get(nameOf(socket)) ?? socket.remoteAddress ?? '',
  }
}

/** Shared by the TLS socket and the TCP socket below it. */
const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`
