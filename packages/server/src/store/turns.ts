/** Transactions that resume per round. Each round of the event loop polls every open socket, so a round must not be too small. */
const PER_ROUND = 4

/** Spreads transactions that become ready at the same time over several rounds of the event loop. */
export interface Turns {
  /**
   * Returns undefined when the caller may continue at once, otherwise a promise that resolves in one of the next rounds. The process
   * does its other work between two rounds, so that work waits for a few callers at most.
   */
  take(): Promise<void> | undefined
}

export function createTurns(): Turns {
  const waiting: (() => void)[] = []
  let resumedThisRound = 0
  const next = (): void => {
    const some = waiting.splice(0, PER_ROUND)
    resumedThisRound = some.length
    if (resumedThisRound === 0) return
    setImmediate(next)
    for (const resume of some) resume()
  }
  return {
    take: () => {
      if (resumedThisRound === 0) setImmediate(next)
      if (resumedThisRound < PER_ROUND) {
        resumedThisRound += 1
        return undefined
      }
      return new Promise((resolve) => waiting.push(resolve))
    },
  }
}
