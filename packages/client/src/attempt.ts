import type { Clock } from './clock.ts'
import { type SdkClient, type SdkCommand, singleAttempt } from './command.ts'
import { DeadlineError } from './errors.ts'
import { classifyFailure, type FailedOutcome } from './outcome.ts'

export type Attempt = {
  readonly region: string
  readonly client: SdkClient
  readonly command: SdkCommand
  readonly clock: Clock
  /** Starts when the request is sent: the time to load credentials does not count against the region. */
  readonly deadlineMs: number
  /** Limit for the complete attempt, including loading credentials. */
  readonly limitMs: number
  readonly signal?: AbortSignal | undefined
  /** Further options for the SDK's `send`. */
  readonly sdkOptions?: object
}

export type AttemptResult = { readonly latencyMs: number } & (
  | { readonly outcome: 'success'; readonly output: object }
  | ({ readonly error: unknown } & FailedOutcome)
)

/**
 * Sends a command once to one region. Never rejects: errors, timeouts and aborts by `signal` are returned as outcomes.
 */
export async function attempt(request: Attempt): Promise<AttemptResult> {
  const { region, client, clock, deadlineMs, limitMs, signal } = request
  const startedAt = clock.now()
  const abort = new AbortController()
  const timers: unknown[] = []
  let onWire = false
  let interrupt: (error: unknown, outcome: 'timeout' | 'abandoned') => void = () => {}

  const interrupted = new Promise<{ error: unknown } & FailedOutcome>((resolve) => {
    interrupt = (error, outcome) => {
      resolve({ error, outcome, unexecuted: !onWire, signAgain: false })
      // Never abort a request that has ended: that would close its connection, which is kept alive for the next
      // request.
      abort.abort(error)
    }
  })
  const expireAfter = (ms: number) => {
    const error = new DeadlineError({ region, deadlineMs: ms })
    timers.push(clock.setTimeout(() => interrupt(error, onWire ? 'timeout' : 'abandoned'), ms))
  }
  const markSent = () => {
    onWire = true
    if (deadlineMs < limitMs) expireAfter(deadlineMs)
  }
  const cancel = () => interrupt(signal?.reason, 'abandoned')

  const send = async (): Promise<{ outcome: 'success'; output: object } | ({ error: unknown } & FailedOutcome)> => {
    try {
      const { command, isResolved } = singleAttempt(request.command, { onWire: markSent })
      const sent = client.send(command as never, { ...request.sdkOptions, abortSignal: abort.signal } as never)
      if (!isResolved()) markSent()
      return { outcome: 'success', output: (await sent) as object }
    } catch (error) {
      return { error, ...classifyFailure(error, { onWire }) }
    }
  }

  try {
    signal?.throwIfAborted()
    signal?.addEventListener('abort', cancel, { once: true })
    expireAfter(limitMs)
    const result = await Promise.race([send(), interrupted])
    return { ...result, latencyMs: clock.now() - startedAt }
  } catch (error) {
    return { error, outcome: 'abandoned', unexecuted: true, signAgain: false, latencyMs: 0 }
  } finally {
    for (const timer of timers) clock.clearTimeout(timer)
    signal?.removeEventListener('abort', cancel)
  }
}
