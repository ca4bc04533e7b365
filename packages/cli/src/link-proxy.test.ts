import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { after, beforeEach, describe, it } from 'node:test'
import { type LinkProxy, sever, startLinkProxy } from './link-proxy.ts'

const closers: (() => unknown)[] = []
after(async () => {
  for (const close of closers) await close()
})

/** A server that passes its side of each connection to `serve`. */
async function startTarget(serve: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  return (server.address() as AddressInfo).port
}

async function startProxy(targetPort: number): Promise<LinkProxy> {
  const proxy = await startLinkProxy({ targetPort })
  closers.push(() => proxy.close())
  return proxy
}

async function connectTo(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const closed = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()))

const echo = (socket: Socket) => socket.pipe(socket)

describe('a link proxy', () => {
  let proxy: LinkProxy
  beforeEach(async () => {
    proxy = await startProxy(await startTarget(echo))
  })

  it('carries both directions and the end of each', async () => {
    const socket = await connectTo(proxy.port)
    socket.end('there and back')
    assert.equal((await readAll(socket)).toString(), 'there and back')
  })

  it('resets open connections when it is cut', async () => {
    const socket = await connectTo(proxy.port)
    socket.write('hello')
    await once(socket, 'data')
    proxy.cut()
    await closed(socket)
  })

  it('resets the connection to the target too when it is cut', async () => {
    const met = Promise.withResolvers<Socket>()
    const cutting = await startProxy(await startTarget((socket) => socket.once('data', () => met.resolve(socket))))
    const socket = await connectTo(cutting.port)
    socket.write('hello')
    const farEnd = await met.promise
    cutting.cut()
    await closed(farEnd)
  })

  it('passes no byte of a new connection while it is cut, and all bytes once healed', async () => {
    proxy.cut()
    const refused = connect(proxy.port, '127.0.0.1')
    refused.on('error', () => undefined)
    refused.end('lost')
    let received = 0
    refused.on('data', (chunk) => {
      received += chunk.length
    })
    await closed(refused)
    assert.equal(received, 0)

    proxy.heal()
    const socket = await connectTo(proxy.port)
    socket.end('carried')
    assert.equal((await readAll(socket)).toString(), 'carried')
  })

  it('delays each direction when slowed', async () => {
    proxy.slow(60)
    const socket = await connectTo(proxy.port)
    const begun = performance.now()
    socket.end('slow')
    assert.equal((await readAll(socket)).toString(), 'slow')
    assert.ok(performance.now() - begun >= 119, 'a round trip takes twice the delay')
  })

  it('keeps the order of the bytes while the delay changes under it', async () => {
    const sent = Buffer.alloc(3_000_000, 0).map((_, index) => (index * 7 + (index >> 8)) % 251)
    const socket = await connectTo(proxy.port)
    proxy.slow(15)
    socket.end(sent)
    const delays = [3, 25, 1, 8, 0]
    socket.on('data', () => {
      const next = delays.shift()
      if (next !== undefined) proxy.slow(next)
    })
    assert.ok((await readAll(socket)).equals(Buffer.from(sent)))
  })

  it('sends all held bytes at once when the delay ends', { timeout: 10_000 }, async () => {
    proxy.slow(3_600_000)
    const socket = await connectTo(proxy.port)
    const farReady = once(socket, 'data')
    socket.write('held')
    proxy.slow(0)
    assert.equal(String((await farReady)[0]), 'held')
  })

  it('carries only so many bytes per second when throttled, of all connections together', async () => {
    proxy.throttle(100_000)
    const sent = Buffer.alloc(10_000, 1)
    const sockets = [await connectTo(proxy.port), await connectTo(proxy.port)]
    const begun = performance.now()
    for (const socket of sockets) socket.end(sent)
    for (const received of await Promise.all(sockets.map(readAll))) assert.ok(received.equals(sent))
    // The last slice of 5,000 bytes leaves without waiting for itself.
    assert.ok(performance.now() - begun >= 149, '20,000 bytes take 0.2 s')
  })

  it('sends all held bytes when the throttle ends', { timeout: 10_000 }, async () => {
    proxy.throttle(1)
    const socket = await connectTo(proxy.port)
    socket.end('throttled')
    const received = readAll(socket)
    proxy.throttle(0)
    assert.equal((await received).toString(), 'throttled')
  })

  it('stops reading from a source whose destination does not read', async () => {
    const stalled = await startProxy(await startTarget((socket) => socket.pause()))
    for (const delayMs of [0, 3_600_000]) {
      stalled.slow(delayMs)
      const socket = await connectTo(stalled.port)
      const chunk = Buffer.alloc(1 << 20)
      // 64 MB exceeds the buffers of the kernel and of the proxy together.
      for (let megabytes = 0; megabytes < 64; megabytes++) socket.write(chunk)
      const flushed = new Promise((resolve) => socket.write('last', resolve))
      const quiet = settled(() => socket.bytesWritten - socket.writableLength)
      assert.equal(await Promise.race([flushed.then(() => 'flushed'), quiet.then(() => 'held back')]), 'held back')
      socket.destroy()
    }
  })

  it('closes a connection whose target is unreachable', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const orphaned = await startProxy(port)
    const socket = await connectTo(orphaned.port)
    socket.resume()
    await closed(socket)
  })

  it('resets a connection that is just ending', async () => {
    const socket = await connectTo(await startTarget((target) => target.pause()))
    let problem: unknown
    socket.on('error', (error) => {
      problem = error
    })
    const closing = once(socket, 'close')
    socket.end()
    // The shutdown has been requested by now and happens in the next iteration of the event loop.
    await new Promise((resolve) => process.nextTick(() => process.nextTick(resolve)))
    assert.deepEqual([socket.writableEnded, socket.writableFinished], [true, false])
    sever(socket)
    await closing
    assert.equal(problem, undefined)
  })

  it('refuses an invalid delay or bandwidth', () => {
    assert.throws(() => proxy.slow(-1), RangeError)
    assert.throws(() => proxy.slow(Number.NaN), RangeError)
    assert.throws(() => proxy.throttle(-1), RangeError)
  })

  it('stops listening when closed, also twice', async () => {
    await proxy.close()
    await proxy.close()
    const socket = connect(proxy.port, '127.0.0.1')
    const [error] = await once(socket, 'error')
    assert.equal(error.code, 'ECONNREFUSED')
  })
})

/** Resolves once the value has not changed for many iterations of the event loop. */
async function settled(read: () => number): Promise<void> {
  let last = read()
  for (let same = 0; same < 2_000; same++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (read() !== last) same = 0
    last = read()
  }
}
