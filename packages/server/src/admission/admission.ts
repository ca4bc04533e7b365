import { CognitoError } from '../errors.ts'
import type { ResourceUse } from '../events/events.ts'
import type { Overload } from './overload.ts'

/** Maximum work in progress in a region. */
export interface AdmissionLimits {
  /** Calls in progress. */
  calls: number
  /** Calls that wait for their turn to verify or set a password; these count as calls in progress too. */
  passwords: number
}

/**
 * Limits the calls in progress. A call above a limit is refused at once with TooManyRequestsException, as Cognito does above its
 * quotas; SDKs retry it later. https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
 */
export interface Admission {
  /** Admits a call; call `leave` once its response is ready. Throws TooManyRequestsException. */
  enter(): void
  leave(): void
  /** Resolves once no call is in progress, even if the client of the last call has disconnected. */
  idle(): Promise<void>
  /**
   * Waits for the turn of an operation that verifies or sets a password. Only a few run in each iteration of the event loop, so
   * that other calls run between them. Returns undefined if the turn is now. Throws TooManyRequestsException.
   */
  turn(): Promise<void> | undefined
  usage(): ResourceUse[]
}

/** Passwords per iteration of the event loop: about ten milliseconds. */
const PER_ITERATION = 8

export function createAdmission({ limits, overload }: { limits: AdmissionLimits; overload: Overload }): Admission {
  const waiting: (() => void)[] = []
  const awaitingIdle: (() => void)[] = []
  let inProgress = 0
  let left = PER_ITERATION
  let scheduled = false
  const refuse = (reason: string): never => {
    overload.noted(reason)
    throw new CognitoError('TooManyRequestsException', 'Rate exceeded')
  }
  const take = (): void => {
    left -= 1
    if (scheduled) return
    scheduled = true
    setImmediate(nextIteration)
  }
  const nextIteration = (): void => {
    scheduled = false
    left = PER_ITERATION
    while (left > 0 && waiting.length > 0) {
      take()
      waiting.shift()?.()
    }
  }

  return {
    enter: () => {
      if (inProgress >= limits.calls) refuse(`${limits.calls} calls were in progress: more were refused`)
      inProgress += 1
    },
    leave: () => {
      inProgress -= 1
      if (inProgress === 0) for (const resolve of awaitingIdle.splice(0)) resolve()
    },
    idle: async () => {
      if (inProgress > 0) await new Promise<void>((resolve) => awaitingIdle.push(resolve))
    },
    turn: () => {
      if (left > 0) {
        take()
        return undefined
      }
      if (waiting.length >= limits.passwords)
        refuse(`${limits.passwords} passwords were waiting to be checked: more were refused`)
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.push(resolve)
      return promise
    },
    usage: () => [
      { resource: 'calls', used: inProgress, limit: limits.calls },
      { resource: 'passwords', used: waiting.length, limit: limits.passwords },
    ],
  }
}
