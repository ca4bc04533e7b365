import { CognitoError } from '../errors.ts'
import type { Overload } from './overload.ts'

/** How much a region takes on at a time. */
export interface Limits {
  /** Calls under way. */
  calls: number
  /** Of these, those that wait for their turn to try or make a password. */
  passwords: number
}

/**
 * What a region does not take on, it refuses at once, as Cognito does above its quotas: TooManyRequestsException, which SDKs
 * try again later. https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
 */
export interface Admission {
  /** Takes a call on; to be told when it has been answered. Throws TooManyRequestsException. */
  enter(): void
  leave(): void
  /** Resolves once no call is under way, whether or not somebody still waits for its answer. */
  idle(): Promise<void>
  /**
   * Waits for the turn of an operation that tries or makes a password: a few per turn of the event loop, so that however many
   * there are, other calls pass between them. Throws TooManyRequestsException.
   */
  turn(): Promise<void> | undefined
}

/** About ten milliseconds of a turn. */
const PER_TURN = 8

export function createAdmission({ limits, overload }: { limits: Limits; overload: Overload }): Admission {
  const waiting: (() => void)[] = []
  const awaitingIdle: (() => void)[] = []
  let underWay = 0
  let left = PER_TURN
  let armed = false
  const refuse = (why: string): never => {
    overload.noted(why)
    throw new CognitoError('TooManyRequestsException', 'Rate exceeded')
  }
  const take = (): void => {
    left -= 1
    if (armed) return
    armed = true
    setImmediate(nextTurn)
  }
  const nextTurn = (): void => {
    armed = false
    left = PER_TURN
    while (left > 0 && waiting.length > 0) {
      take()
      waiting.shift()?.()
    }
  }

  return {
    enter: () => {
      if (underWay >= limits.calls) refuse(`${limits.calls} calls were under way: more were refused`)
      underWay += 1
    },
    leave: () => {
      underWay -= 1
      if (underWay === 0) for (const resolve of awaitingIdle.splice(0)) resolve()
    },
    idle: async () => {
      if (underWay > 0) await new Promise<void>((resolve) => awaitingIdle.push(resolve))
    },
    turn: () => {
      if (left > 0) {
        take()
        return undefined
      }
      if (waiting.length >= limits.passwords)
        refuse(`${limits.passwords} passwords waited to be tried: more were refused`)
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.push(resolve)
      return promise
    },
  }
}
