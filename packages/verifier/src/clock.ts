/** Time and randomness, so that a test can hold both. `setTimeout` returns whatever `clearTimeout` takes. */
export type Clock = {
  /** Milliseconds since the Unix epoch, as the issuer counts them. */
  now(): number
  setTimeout(run: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
  /** In [0, 1). Only spreads refreshes; guards no secret. */
  random(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (run, ms) => {
    const timer: unknown = setTimeout(run, ms)
    // In Node a timer of ours must not keep a finished process alive; browsers return a number.
    if (typeof timer === 'object' && timer !== null && 'unref' in timer) (timer as { unref(): void }).unref()
    return timer
  },
  clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  random: Math.random,
}
