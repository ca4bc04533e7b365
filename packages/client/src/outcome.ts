/** The outcome of one attempt, as it counts for the region's health. */
export type Outcome =
  /** Served. */
  | 'success'
  /** Refused because of the input or the user's state: the region works. */
  | 'businessError'
  /** No connection, a broken connection, or a response that is not the service's. */
  | 'transportFailure'
  /** No response before the deadline. */
  | 'timeout'
  /** HTTP 5xx. */
  | 'serverError'
  /** A quota was exceeded. */
  | 'throttled'
  /** OperationNotEnabledException: this region does not serve the operation, or not in its present state. */
  | 'notEnabled'
  /** Ended on the client's side, through no fault of the region: credentials, input, abort by the caller. */
  | 'abandoned'

export type FailedOutcome = {
  readonly outcome: Exclude<Outcome, 'success'>
  /** True if the request was certainly not executed, so that even a write may be sent again. */
  readonly unexecuted: boolean
  /** The SDK has corrected the clock skew, so the same request can now be signed correctly. */
  readonly signAgain: boolean
}

type SdkError = {
  name?: unknown
  code?: unknown
  syscall?: unknown
  errors?: unknown
  $fault?: unknown
  $metadata?: { httpStatusCode?: number; clockSkewCorrected?: boolean }
  $response?: { statusCode?: number }
  $retryable?: { throttling?: boolean }
}

/** Names that the SDK itself counts as throttling; Cognito's own is the first. */
const THROTTLING = new Set([
  'TooManyRequestsException',
  'ThrottlingException',
  'ThrottledException',
  'Throttling',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'SlowDown',
])

/**
 * Classifies a failed attempt.
 *
 * @param error what the SDK's `send` rejected with
 * @param onWire whether the request had been passed to the HTTP handler
 */
export function classifyFailure(error: unknown, { onWire }: { onWire: boolean }): FailedOutcome {
  if (!onWire) return { outcome: 'abandoned', unexecuted: true, signAgain: false }
  const seen: SdkError = typeof error === 'object' && error !== null ? error : {}
  const status = seen.$metadata?.httpStatusCode ?? seen.$response?.statusCode

  if (seen.name === 'OperationNotEnabledException') return refused('notEnabled')
  if (THROTTLING.has(String(seen.name)) || status === 429 || seen.$retryable?.throttling) return refused('throttled')
  if ((status !== undefined && status >= 500) || seen.$fault === 'server') {
    return { outcome: 'serverError', unexecuted: false, signAgain: false }
  }
  // The SDK turns every response that it can parse into an exception with `$fault`, even an unknown one. A response
  // that it could not parse (a proxy's page, a truncated body) is not the service's.
  if (seen.$fault === 'client') {
    return { outcome: 'businessError', unexecuted: true, signAgain: seen.$metadata?.clockSkewCorrected === true }
  }
  return { outcome: 'transportFailure', unexecuted: neverConnected(seen), signAgain: false }
}

function refused(outcome: 'notEnabled' | 'throttled'): FailedOutcome {
  return { outcome, unexecuted: true, signAgain: false }
}

/** Node reports which step failed. A browser's "Failed to fetch" does not, so the request counts as possibly sent. */
function neverConnected({ syscall, errors }: SdkError): boolean {
  if (syscall === 'connect' || syscall === 'getaddrinfo') return true
  // One error per address (happy eyeballs).
  return Array.isArray(errors) && errors.length > 0 && errors.every((each) => neverConnected(Object(each)))
}
