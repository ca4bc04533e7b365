import type { IncomingMessage } from 'node:http'
import { type BodyBudget, type BodyShare, LARGE_BYTES, LARGEST_BODY_BYTES } from './body-budget.ts'

/** `busy`: the bodies in flight have no room for this one. `ended-early`: the connection was closed before its end. */
export type BodyRefusal = 'too-large' | 'busy' | 'ended-early'

/** A body that has been read. Call `release` when it is no longer used. */
export interface ReadBody {
  bytes: Buffer
  release(): void
}

/** Collects the chunks of a body in one buffer, because a body may arrive as one chunk per byte. */
class Collector {
  #buffer: Buffer = Buffer.alloc(0)
  #size = 0
  #isLarge = false
  readonly #limit: number
  readonly #share: BodyShare

  constructor(limit: number, share: BodyShare) {
    this.#limit = Math.min(limit, LARGEST_BODY_BYTES)
    this.#share = share
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#size)
  }

  /** Returns undefined, the reason of a refusal, or what to wait for before more is read. */
  add(chunk: Uint8Array): 'too-large' | 'busy' | Promise<void> | undefined {
    const size = this.#size + chunk.length
    if (size > this.#limit) return 'too-large'
    if (this.#isLarge) this.#share.moved()
    else if (!this.#share.grow(this.#reserve(chunk, size))) return 'busy'
    if (this.#size > 0) this.#buffer.set(chunk, this.#size)
    this.#size = size
    if (this.#isLarge || size <= LARGE_BYTES) return undefined
    this.#isLarge = true
    const large = this.#share.largeBuffer()
    if (large instanceof Promise) return large.then((buffer) => this.#moveTo(buffer))
    this.#moveTo(large)
    return undefined
  }

  /** Makes room for `size` bytes. Returns the growth. The first chunk is used as it is. */
  #reserve(chunk: Uint8Array, size: number): number {
    const before = this.#buffer.length
    if (size <= before) return 0
    const larger =
      this.#size === 0
        ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
        : Buffer.allocUnsafeSlow(Math.max(2 * before, size))
    if (this.#size > 0) this.#buffer.copy(larger, 0, 0, this.#size)
    this.#buffer = larger
    return larger.length - before
  }

  #moveTo(large: Buffer): void {
    this.#buffer.copy(large, 0, 0, this.#size)
    this.#buffer = large
  }
}

const announced = (length: string | null | undefined): number => Number(length ?? 0)

/** Reads the body of a request of Node's server, at most `limit` bytes. Node's parser enforces its Content-Length. */
export function receiveBody(
  incoming: IncomingMessage,
  { limit, budget }: { limit: number; budget: BodyBudget },
  done: (body: ReadBody | Exclude<BodyRefusal, 'ended-early'>) => void,
): void {
  if (announced(incoming.headers['content-length']) > limit) {
    done('too-large')
    return
  }
  const share = budget.open(() => incoming.destroy())
  const collector = new Collector(limit, share)
  const collect = (chunk: Buffer): void => {
    const result = collector.add(chunk)
    if (result === undefined) return
    if (typeof result !== 'string') {
      incoming.pause()
      void result.then(() => incoming.resume())
      return
    }
    share.release()
    incoming.off('data', collect).off('end', end)
    done(result)
  }
  const end = (): void => {
    share.complete()
    done({ bytes: collector.bytes, release: share.release })
  }
  incoming.on('data', collect)
  incoming.on('end', end)
  // The connection is closed, so there is no response to send.
  incoming.on('error', share.release)
}

/** Reads the body of a request that comes through the router, at most `limit` bytes. */
export async function readBody(
  request: Request,
  { limit, budget }: { limit: number; budget: BodyBudget },
): Promise<ReadBody | BodyRefusal> {
  if (announced(request.headers.get('content-length')) > limit) return 'too-large'
  if (!request.body) return { bytes: Buffer.alloc(0), release: () => {} }
  const reader = request.body.getReader()
  let refusal: BodyRefusal | undefined
  const share = budget.open(() => {
    refusal = 'busy'
    reader.cancel().catch(() => {})
  })
  const collector = new Collector(limit, share)
  try {
    for (let next = await reader.read(); !next.done && !refusal; next = await reader.read()) {
      const result = collector.add(next.value)
      if (typeof result === 'string') refusal = result
      else if (result) await Promise.race([result, reader.closed])
    }
  } catch {
    refusal ??= 'ended-early'
  }
  if (refusal) {
    share.release()
    return refusal
  }
  share.complete()
  return { bytes: collector.bytes, release: share.release }
}
