import type { Clock } from './clock.ts'
import { type SdkClient, type SdkCommand, singleAttempt } from './command.ts'
import { DeadlineError } from './errors.ts'
import { judge, type Verdict } from './outcome.ts'

export type Attempt = {
  readonly region: string
  readonly client: SdkClient
  readonly command: SdkCommand
  readonly clock: Clock
  /** From the moment the request leaves. The time to find credentials does not count against the region. */
  readonly deadlineMs: number
  /** For everything, credentials included. */
  readonly limitMs: number
  readonly signal?: AbortSignal | undefined
  /** Passed on to the SDK's `send`. */
  readonly sdkOptions?: object
}

export type AttemptResult = { readonly latencyMs: number } & (
  | { readonly outcome: 'success'; readonly output: object }
  | ({ readonly error: unknown } & Verdict)
)

/** Sends a command once to one region, and always ends: with an answer, an error, at the deadline, or when `signal` fires. */
export async function attempt(request: Attempt): Promise<AttemptResult> {
  const { region, client, clock, deadlineMs, limitMs, signal } = request
  const startedAt = clock.now()
  const abort = new AbortController()
  const timers: unknown[] = []
  let onWire = false
  let interrupt: (error: unknown, outcome: 'timeout' | 'abandoned') => void = () => {}

  const interrupted = new Promise<{ error: unknown } & Verdict>((resolve) => {
    interrupt = (error, outcome) => {
      resolve({ error, outcome, unexecuted: !onWire, signAgain: false })
      // Only now: aborting a request that has ended would close its connection, which is kept for the next.
      abort.abort(error)
    }
  })
  const expireAfter = (ms: number) => {
    const error = new DeadlineError({ region, deadlineMs: ms })
    timers.push(clock.setTimeout(() => interrupt(error, onWire ? 'timeout' : 'abandoned'), ms))
  }
  const leave = () => {
    onWire = true
    if (deadlineMs < limitMs) expireAfter(deadlineMs)
  }
  const cancel = () => interrupt(signal?.reason, 'abandoned')

  const answer = async (): Promise<{ outcome: 'success'; output: object } | ({ error: unknown } & Verdict)> => {
    try {
      const { command, isResolved } = singleAttempt(request.command, { onWire: leave })
      const sent = client.send(command as never, { ...request.sdkOptions, abortSignal: abort.signal } as never)
      if (!isResolved()) leave()
      return { outcome: 'success', output: (await sent) as object }
    } catch (error) {
      return { error, ...judge(error, { onWire }) }
    }
  }

  try {
    signal?.throwIfAborted()
    signal?.addEventListener('abort', cancel, { once: true })
    expireAfter(limitMs)
    const result = await Promise.race([answer(), interrupted])
    return { ...result, latencyMs: clock.now() - startedAt }
  } catch (error) {
    return { error, outcome: 'abandoned', unexecuted: true, signAgain: false, latencyMs: 0 }
  } finally {
    for (const timer of timers) clock.clearTimeout(timer)
    signal?.removeEventListener('abort', cancel)
  }
}
