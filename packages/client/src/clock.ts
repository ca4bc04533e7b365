/** Time and randomness, so that a test can hold both. `setTimeout` returns whatever `clearTimeout` takes. */
export type Clock = {
  /** Milliseconds since the Unix epoch; must not go back. */
  now(): number
  setTimeout(run: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
  /** In [0, 1). Only spreads retries and probes; guards no secret. */
  random(): number
}

export const systemClock: Clock = {
  // performance.now() keeps counting when the machine's clock is set back.
  now: () => performance.timeOrigin + performance.now(),
  setTimeout: (run, ms) => {
    const timer: unknown = setTimeout(run, ms)
    // In Node a timer of ours must not keep a finished process alive; browsers return a number.
    if (typeof timer === 'object' && timer !== null && 'unref' in timer) (timer as { unref(): void }).unref()
    return timer
  },
  clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  random: Math.random,
}

/** Waits; ends early, without an error, when `signal` fires. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      clock.clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.setTimeout(done, ms)
    signal?.addEventListener('abort', done, { once: true })
  })
}
