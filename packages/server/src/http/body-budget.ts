import type { Overload } from '../admission/overload.ts'

/** The largest body of any request. */
export const LARGEST_BODY_BYTES = 4 * 1024 * 1024
/** A body above this size needs one of the large buffers. */
export const LARGE_BYTES = 32 * 1024
/** Reading more large bodies at once would only fill the memory sooner. Their buffers are used again, because garbage is memory too. */
const LARGE_BUFFERS = 4
/** While others wait, a large body must make progress in each of these intervals. */
const STALLED_MILLISECONDS = 500

/** The share of one body in the budget. */
export interface BodyShare {
  /** Takes more bytes, because the body has made progress. Returns false if there is no room: no other body can be ended. */
  grow(bytes: number): boolean
  /** A buffer of LARGEST_BODY_BYTES, which belongs to the body until its release; a promise if all are in use. */
  largeBuffer(): Buffer | Promise<Buffer>
  /** A large body has made progress. */
  moved(): void
  /** The body is complete: from now on it is not ended for others. */
  complete(): void
  /** Frees the memory: the body is no longer used. May be called twice. */
  release(): void
}

/** The memory of all request bodies in flight, from their first byte until the response. */
export interface BodyBudget {
  /** `end` is called if the body must make room for others. */
  open(end: () => void): BodyShare
}

interface Entry {
  held: number
  buffer: Buffer | undefined
  /** Whether a large body has made progress since the last interval. */
  moved: boolean
  /** Set while it waits for a large buffer. */
  receive: ((buffer: Buffer) => void) | undefined
  end(): void
}

/** Minimum of `bytes`: the large buffers, and as much for other bodies as one of them has. */
export const MIN_BUDGET_BYTES = (LARGE_BUFFERS + 1) * LARGEST_BODY_BYTES

/** Above `bytes`, the incomplete body that has made no progress for longest is ended. */
export function createBodyBudget({ bytes, overload }: { bytes: number; overload: Overload }): BodyBudget {
  const budget = bytes - LARGE_BUFFERS * LARGEST_BODY_BYTES
  let used = 0
  /** The incomplete bodies, longest without progress first. */
  const incomplete = new Set<Entry>()
  const large = new Set<Entry>()
  const waiting = new Set<Entry>()
  const free: Buffer[] = []
  let timer: NodeJS.Timeout | undefined

  const give = (entry: Entry, buffer: Buffer): Buffer => {
    entry.buffer = buffer
    entry.moved = true
    large.add(entry)
    return buffer
  }
  const release = (entry: Entry): void => {
    used -= entry.held
    entry.held = 0
    incomplete.delete(entry)
    waiting.delete(entry)
    const { buffer } = entry
    if (!large.delete(entry) || !buffer) return
    entry.buffer = undefined
    const [next] = waiting
    if (!next) return void free.push(buffer)
    waiting.delete(next)
    next.receive?.(give(next, buffer))
  }
  const end = (entry: Entry): void => {
    release(entry)
    entry.end()
    overload.noted('too many request bodies were in flight: the slowest was ended')
  }
  const makeRoom = (own: Entry): boolean => {
    while (used > budget) {
      const [stalled] = incomplete
      if (!stalled || stalled === own) return false
      end(stalled)
    }
    return true
  }
  const endStalled = (): void => {
    timer = undefined
    for (const entry of [...large]) {
      if (!entry.moved && incomplete.has(entry) && waiting.size > 0) end(entry)
      entry.moved = false
    }
    watch()
  }
  const watch = (): void => {
    if (timer === undefined && waiting.size > 0) timer = setTimeout(endStalled, STALLED_MILLISECONDS)
  }

  return {
    open: (endBody) => {
      const entry: Entry = { held: 0, buffer: undefined, moved: false, receive: undefined, end: endBody }
      return {
        grow: (more) => {
          entry.held += more
          used += more
          incomplete.delete(entry)
          incomplete.add(entry)
          return makeRoom(entry)
        },
        largeBuffer: () => {
          if (large.size < LARGE_BUFFERS) {
            return give(entry, free.pop() ?? Buffer.allocUnsafeSlow(LARGEST_BODY_BYTES))
          }
          waiting.add(entry)
          watch()
          return new Promise((resolve) => {
            entry.receive = resolve
          })
        },
        moved: () => {
          entry.moved = true
        },
        complete: () => void incomplete.delete(entry),
        release: () => release(entry),
      }
    },
  }
}
