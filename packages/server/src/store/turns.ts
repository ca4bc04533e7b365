/** So many go on in one round: each round costs a look at everything that is open. */
const GROUP = 4

/**
 * Takes turns between what came at once: some go on at once, the others a few in each of the next rounds of the event loop. Between
 * two rounds the process does whatever else there is to do, so that it never waits for more than a few of them.
 */
export function takeTurn(): Promise<void> | undefined {
  if (gone === 0) setImmediate(next)
  if (gone < GROUP) {
    gone += 1
    return undefined
  }
  return new Promise((resolve) => waiting.push(resolve))
}

const waiting: (() => void)[] = []
/** In this round. */
let gone = 0

function next(): void {
  const some = waiting.splice(0, GROUP)
  gone = some.length
  if (gone === 0) return
  setImmediate(next)
  for (const go of some) go()
}
