/** What an attempt says about the region that it was made in. */
export type Outcome =
  /** Served. */
  | 'success'
  /** Refused for a reason of the caller's or the user's: the region works. */
  | 'businessError'
  /** No connection, or the connection broke, or what came back is not an answer of the service. */
  | 'transportFailure'
  /** Silence until the deadline. */
  | 'timeout'
  /** HTTP 5xx. */
  | 'serverError'
  /** Over a quota. */
  | 'throttled'
  /** OperationNotEnabledException: not in this region, or not in its present state. */
  | 'notEnabled'
  /** Ended on this side before the region had a say: credentials, input, the caller's abort. */
  | 'abandoned'

export type Verdict = {
  readonly outcome: Exclude<Outcome, 'success'>
  /** True if the request was certainly not carried out, so that even a write may be sent again. */
  readonly unexecuted: boolean
  /** The SDK has corrected its idea of the region's clock: the same request will now be signed well. */
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
 * Judges a failed attempt.
 *
 * @param error what the SDK's `send` rejected with
 * @param onWire whether the request had been handed to the HTTP handler
 */
export function judge(error: unknown, { onWire }: { onWire: boolean }): Verdict {
  if (!onWire) return { outcome: 'abandoned', unexecuted: true, signAgain: false }
  const seen: SdkError = typeof error === 'object' && error !== null ? error : {}
  const status = seen.$metadata?.httpStatusCode ?? seen.$response?.statusCode

  if (seen.name === 'OperationNotEnabledException') return refused('notEnabled')
  if (THROTTLING.has(String(seen.name)) || status === 429 || seen.$retryable?.throttling) return refused('throttled')
  if ((status !== undefined && status >= 500) || seen.$fault === 'server') {
    return { outcome: 'serverError', unexecuted: false, signAgain: false }
  }
  // The SDK makes an exception with `$fault` of every answer that it can read, of unknown ones too. What it could
  // not read (a proxy's page, half a body) is no answer of the service.
  if (seen.$fault === 'client') {
    return { outcome: 'businessError', unexecuted: true, signAgain: seen.$metadata?.clockSkewCorrected === true }
  }
  return { outcome: 'transportFailure', unexecuted: neverConnected(seen), signAgain: false }
}

function refused(outcome: 'notEnabled' | 'throttled'): Verdict {
  return { outcome, unexecuted: true, signAgain: false }
}

/** Node tells the step that failed; a browser's "Failed to fetch" does not, and counts as perhaps sent. */
function neverConnected({ syscall, errors }: SdkError): boolean {
  if (syscall === 'connect' || syscall === 'getaddrinfo') return true
  // One error for each address tried (happy eyeballs).
  return Array.isArray(errors) && errors.length > 0 && errors.every((each) => neverConnected(Object(each)))
}
