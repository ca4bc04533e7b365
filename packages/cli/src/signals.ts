/**
 * Resolves at SIGINT, SIGTERM or SIGHUP, or when the parent process has ended. A second signal, more than a second later, ends
 * this process at once.
 */
export function untilAskedToStop(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let first: number | undefined
  const ask = (): void => {
    first ??= performance.now()
    // If a launcher forwards signals, a terminal's Ctrl-C arrives twice; only a later signal asks for an immediate exit.
    if (performance.now() - first > REPEAT_MILLISECONDS) process.exit(130)
    resolve()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, ask)
  // `connected` is undefined without an IPC channel, and false if the parent process has already ended.
  if (process.connected === false) resolve()
  if (process.connected) process.once('disconnect', resolve)
  return promise
}

const REPEAT_MILLISECONDS = 1_000
