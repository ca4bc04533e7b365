import { StoreBusyError } from './database.ts'

/** A number of permits, and callers that wait for one. */
export interface Permits {
  /** Throws StoreBusyError when no permit is returned in time, or when all are held by lost work. */
  take(): Promise<Permit>
}

export interface Permit {
  giveBack(): void
  /** The work of this permit was lost: holds the permit until `ended` resolves. */
  holdUntil(ended: Promise<void>): void
}

interface Waiting {
  resolve(permit: Permit): void
  reject(error: Error): void
}

/** @param reason of a refusal; read when it happens */
export function createPermits({
  count,
  milliseconds,
  reason,
}: {
  count: number
  milliseconds: number
  reason: () => string | undefined
}): Permits {
  const waiting = new Set<Waiting>()
  let free = count
  let lost = 0
  const busy = (): StoreBusyError => new StoreBusyError({ reason: reason() })

  const giveBack = (): void => {
    const [next] = waiting
    if (!next) free += 1
    else {
      waiting.delete(next)
      next.resolve(permit)
    }
  }
  const permit: Permit = {
    giveBack,
    holdUntil: (ended) => {
      lost += 1
      void ended.then(() => {
        lost -= 1
        giveBack()
      })
      // Nobody knows when a lost permit comes back: waiting for it would only delay the refusal.
      if (lost === count) for (const { reject } of [...waiting]) reject(busy())
    },
  }
  const queue = (): Promise<Permit> =>
    new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer)
        waiting.delete(entry)
      }
      const entry: Waiting = {
        resolve: (taken) => {
          leave()
          resolve(taken)
        },
        reject: (error) => {
          leave()
          reject(error)
        },
      }
      const timer = setTimeout(() => entry.reject(busy()), milliseconds)
      waiting.add(entry)
    })

  return {
    take: async () => {
      if (lost === count) throw busy()
      if (free === 0) return queue()
      free -= 1
      return permit
    },
  }
}
