/** Time and randomness, so that a test can control both. `setTimeout` returns a handle for `clearTimeout`. */
export type Clock = {
  /** Milliseconds since the Unix epoch; must be monotonic. */
  now(): number
  setTimeout(run: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
  /** In [0, 1). Used only for jitter of retries and probes, never for secrets. */
  random(): number
}

export const systemClock: Clock = {
  // performance.now() does not go back when the system clock is set back.
  now: () => performance.timeOrigin + performance.now(),
  setTimeout: (run, ms) => {
    const timer: unknown = setTimeout(run, ms)
    // In Node, these timers must not keep a finished process alive. Browsers return a number instead of an object.
    if (typeof timer === 'object' && timer !== null && 'unref' in timer) (timer as { unref(): void }).unref()
    return timer
  },
  clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  random: Math.random,
}

/** Waits for `ms` milliseconds; returns early, without an error, when `signal` fires. */
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
