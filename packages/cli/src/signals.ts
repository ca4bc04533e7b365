/**
 * Resolves at SIGINT, SIGTERM or SIGHUP, or when the process that started this one is gone. A second signal ends the
 * process at once.
 */
export function untilAskedToStop(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let first: number | undefined
  const ask = (): void => {
    first ??= performance.now()
    // A terminal's Ctrl-C arrives twice where a launcher passes it on; only a later one means impatience.
    if (performance.now() - first > IMPATIENCE_MILLISECONDS) process.exit(130)
    resolve()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, ask)
  // Undefined when nobody holds the other end, false when whoever did is gone already.
  if (process.connected === false) resolve()
  if (process.connected) process.once('disconnect', resolve)
  return promise
}

const IMPATIENCE_MILLISECONDS = 1_000
