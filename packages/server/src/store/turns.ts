/** So many go on in one round: each round costs a look at everything that is open. */
const GROUP = 4

/** Takes turns between what comes at once. */
export interface Turns {
  /**
   * Some go on at once, the others a few in each of the next rounds of the event loop. Between two rounds the process does whatever else there
   * is to do, so that it never waits for more than a few of them.
   */
  take(): Promise<void> | undefined
}

export function createTurns(): Turns {
  const waiting: (() => void)[] = []
  /** In this round. */
  let gone = 0
  const next = (): void => {
    const some = waiting.splice(0, GROUP)
    gone = some.length
    if (gone === 0) return
    setImmediate(next)
    for (const go of some) go()
  }
  return {
    take: () => {
      if (gone === 0) setImmediate(next)
      if (gone < GROUP) {
        gone += 1
        return undefined
      }
      return new Promise((resolve) => waiting.push(resolve))
    },
  }
}
