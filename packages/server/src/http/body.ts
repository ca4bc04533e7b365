import type { IncomingMessage } from 'node:http'
import type { BodyBudget, BodyShare } from './body-budget.ts'

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
  readonly #limit: number
  readonly #share: BodyShare

  constructor(limit: number, share: BodyShare) {
    this.#limit = limit
    this.#share = share
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#size)
  }

  add(chunk: Uint8Array): BodyRefusal | undefined {
    const size = this.#size + chunk.length
    if (size > this.#limit) return 'too-large'
    if (this.#size === 0) {
      if (!this.#share.grow(chunk.length)) return 'busy'
      this.#buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    } else {
      if (!this.#share.grow(this.#reserve(size))) return 'busy'
      this.#buffer.set(chunk, this.#size)
    }
    this.#size = size
    return undefined
  }

  /** Makes room for `size` bytes. Returns the growth of the buffer. */
  #reserve(size: number): number {
    const before = this.#buffer.length
    if (size <= before) return 0
    const larger = Buffer.allocUnsafeSlow(Math.min(this.#limit, Math.max(2 * before, size)))
    this.#buffer.copy(larger, 0, 0, this.#size)
    this.#buffer = larger
    return larger.length - before
  }
}

const announced = (length: string | null | undefined): number => Number(length ?? 0)

/** Reads the body of a request of Node's server, at most `limit` bytes. Node's parser enforces its Content-Length. */
export function receiveBody(
  incoming: IncomingMessage,
  { limit, budget }: { limit: number; budget: BodyBudget },
  done: (body: ReadBody | Exclude<BodyRefusal, 'ended-early'>) => void,
): void {
  const length = incoming.headers['content-length']
  if (announced(length) > limit) {
    done('too-large')
    return
  }
  const share = budget.open(() => incoming.destroy())
  const collector = new Collector(length === undefined ? limit : announced(length), share)
  const collect = (chunk: Buffer): void => {
    const refusal = collector.add(chunk)
    if (refusal === undefined || refusal === 'ended-early') return
    share.release()
    incoming.off('data', collect).off('end', end)
    done(refusal)
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
      refusal = collector.add(next.value)
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
