/**
 * Takes turns between what came at once: resolves at once for the first that asks in a round of the event loop, for each other in a round
 * of its own. Between two rounds the process does whatever else there is to do, so that it never waits for more than one of them.
 */
export function takeTurn(): Promise<void> | undefined {
  if (free) {
    free = false
    setImmediate(next)
    return undefined
  }
  return new Promise((resolve) => waiting.push(resolve))
}

const waiting: (() => void)[] = []
let free = true

function next(): void {
  const first = waiting.shift()
  free = !first
  if (!first) return
  first()
  setImmediate(next)
}
