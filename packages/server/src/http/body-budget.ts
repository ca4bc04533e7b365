import type { Overload } from '../admission/overload.ts'

/** The share of one body in the budget. */
export interface BodyShare {
  /** Takes more bytes, because the body has made progress. Returns false if there is no room: no other body can be ended. */
  grow(bytes: number): boolean
  /** The body is complete: from now on it is not ended for others. */
  complete(): void
  /** Frees the bytes: the body is no longer used. May be called twice. */
  release(): void
}

/** The memory of all request bodies in flight, from their first byte until the response. */
export interface BodyBudget {
  /** `end` is called if the body must make room for others. */
  open(end: () => void): BodyShare
}

/** Above `bytes`, the incomplete body that has made no progress for longest is ended. */
export function createBodyBudget({ bytes: budget, overload }: { bytes: number; overload: Overload }): BodyBudget {
  let used = 0
  /** The incomplete bodies, longest without progress first. */
  const incomplete = new Set<BodyShare & { end(): void }>()
  const makeRoom = (own: BodyShare): boolean => {
    while (used > budget) {
      const [stalled] = incomplete
      if (!stalled || stalled === own) return false
      stalled.release()
      stalled.end()
      overload.noted(`${budget} bytes of request bodies were in flight: the slowest was ended`)
    }
    return true
  }
  return {
    open: (end) => {
      let held = 0
      const share = {
        grow: (bytes: number) => {
          held += bytes
          used += bytes
          incomplete.delete(share)
          incomplete.add(share)
          return makeRoom(share)
        },
        complete: () => void incomplete.delete(share),
        release: () => {
          incomplete.delete(share)
          used -= held
          held = 0
        },
        end,
      }
      return share
    },
  }
}
