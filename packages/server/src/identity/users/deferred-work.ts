import type { Clock } from '../../clock.ts'
import { CognitoError } from '../../errors.ts'
import type { Events } from '../../events/events.ts'

/** Work of a call that runs after its response, at a random moment, so that neither this response nor the next shows what it did. */
export interface DeferredWork {
  /** A failure is reported as an event. Throws TooManyRequestsException when too much work is waiting. */
  add(call: { operation: string; pool: string }, work: () => Promise<unknown>): void
  /** Begins all waiting work at once, and resolves when it has ended. */
  finish(): Promise<void>
}

/** About 10 MB. */
const CAPACITY = 10_000
/** A slow mail server must not keep the work of others waiting, and the work must not take all database connections. */
const AT_ONCE = 4
const MAX_DELAY_MILLISECONDS = 500

export function createDeferredWork({
  clock,
  events,
  capacity = CAPACITY,
}: {
  clock: Pick<Clock, 'wait' | 'randomBytes'>
  events: Pick<Events, 'noted'>
  capacity?: number
}): DeferredWork {
  const finishing = new AbortController()
  const unfinished = new Set<Promise<void>>()
  const waiting: (() => void)[] = []
  let running = 0
  const begin = async (): Promise<void> => {
    if (running < AT_ONCE) running += 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
  }
  const end = (): void => {
    const next = waiting.shift()
    if (next) next()
    else running -= 1
  }
  const run = async (call: { operation: string; pool: string }, work: () => Promise<unknown>): Promise<void> => {
    const delay = (clock.randomBytes(2).readUInt16BE() / 2 ** 16) * MAX_DELAY_MILLISECONDS
    await clock.wait(delay, finishing.signal).catch(() => {})
    await begin()
    try {
      await work()
    } catch (error) {
      // A refusal (the user is disabled, a limit) is what the response hides from the caller.
      if (!(error instanceof CognitoError)) {
        events.noted('deferred-work-failed', { ...call, why: error instanceof Error ? error.message : String(error) })
      }
    } finally {
      end()
    }
  }
  return {
    add: (call, work) => {
      if (unfinished.size >= capacity) throw new CognitoError('TooManyRequestsException', 'Rate exceeded')
      const job: Promise<void> = run(call, work).finally(() => unfinished.delete(job))
      unfinished.add(job)
    },
    finish: async () => {
      finishing.abort()
      while (unfinished.size > 0) await Promise.all(unfinished)
    },
  }
}
