import type { Clock } from '../clock.ts'
import { CognitoError } from '../errors.ts'
import { networkOf } from './caller-network.ts'
import type { Overload } from './overload.ts'
import { createRateLimit } from './rate-limit.ts'

/**
 * Limits of unsigned calls by the address of the caller; '' (a call that did not come from a connection) has no limits. Successful
 * sign-ins do not count.
 */
export interface CallerLimits {
  /** Throws TooManyRequestsException if too many attempts from the address have failed recently. */
  checkAttempts(address: string): void
  /** Counts the error of an attempt if the caller may have guessed: a name, a password or a code. */
  countFailure(address: string, error: unknown): void
  /** Counts a call that may send a message. Throws TooManyRequestsException. */
  countMessage(address: string): void
}

/** The errors of an attempt with an unknown or taken name, a wrong password or a wrong code. */
const WRONG_GUESSES = new Set([
  'NotAuthorizedException',
  'UserNotFoundException',
  'CodeMismatchException',
  'ExpiredCodeException',
  'TooManyFailedAttemptsException',
  'UsernameExistsException',
])

export function createCallerLimits({
  clock,
  overload,
  limits,
}: {
  clock: Pick<Clock, 'monotonic' | 'randomBytes'>
  overload: Pick<Overload, 'noted'>
  /** Per address and minute. */
  limits: { failedAttempts: number; messages: number }
}): CallerLimits {
  const attempts = createRateLimit({ clock, perMinute: limits.failedAttempts })
  const messages = createRateLimit({ clock, perMinute: limits.messages })
  const refuse = (what: string): never => {
    overload.noted(`${what} from one address: more were refused (if it is a proxy, list it in trustedProxies)`)
    throw new CognitoError('TooManyRequestsException', 'Rate exceeded')
  }
  return {
    checkAttempts: (address) => {
      if (address !== '' && attempts.isExhausted(networkOf(address))) {
        refuse(`${limits.failedAttempts} failed attempts in a minute`)
      }
    },
    countFailure: (address, error) => {
      if (address !== '' && error instanceof CognitoError && WRONG_GUESSES.has(error.code)) {
        attempts.take(networkOf(address))
      }
    },
    countMessage: (address) => {
      if (address !== '' && !messages.take(networkOf(address))) {
        refuse(`${limits.messages} calls that send messages in a minute`)
      }
    },
  }
}
