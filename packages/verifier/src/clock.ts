/** Time and randomness, so that a test can control both. `setTimeout` returns a handle for `clearTimeout`. */
export type Clock = {
  /** Milliseconds since the Unix epoch, comparable with the issuer's clock. */
  now(): number
  setTimeout(run: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
  /** In [0, 1). Used only for jitter of refreshes, never for secrets. */
  random(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (run, ms) => {
    const timer: unknown = setTimeout(run, ms)
    // In Node, these timers must not keep a finished process alive. Browsers return a number instead of an object.
    if (typeof timer === 'object' && timer !== null && 'unref' in timer) (timer as { unref(): void }).unref()
    return timer
  },
  clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  random: Math.random,
}
