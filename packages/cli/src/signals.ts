export type StopReason = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'disconnect'

/**
 * Resolves at SIGINT, SIGTERM or SIGHUP, or when the parent process has ended. A second signal, more than a second later, ends
 * this process at once. `report` receives a line at each signal. With `reload`, SIGHUP calls it instead; on Windows SIGHUP means that
 * the console was closed.
 */
export function untilAskedToStop({
  drainSeconds,
  report,
  reload,
}: {
  drainSeconds: number
  report: Report
  reload?: (() => void) | undefined
}): Promise<StopReason> {
  const { promise, resolve } = Promise.withResolvers<StopReason>()
  let first: number | undefined
  const ask = (signal: NodeJS.Signals): void => {
    if (first === undefined) {
      first = performance.now()
      report(`stopping: draining connections (up to ${drainSeconds} s); a second Ctrl-C stops at once`)
      resolve(signal as StopReason)
    } else if (performance.now() - first > REPEAT_MILLISECONDS) {
      // If a launcher forwards signals, a terminal's Ctrl-C arrives twice; only a later signal asks for an immediate exit.
      report('stopped at once, without draining connections', () => process.exit(130))
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, ask)
  process.on('SIGHUP', reload && process.platform !== 'win32' ? reload : ask)
  // `connected` is undefined without an IPC channel, and false if the parent process has already ended.
  if (process.connected === false) resolve('disconnect')
  if (process.connected) process.once('disconnect', () => resolve('disconnect'))
  return promise
}

/** Calls `done` once the line has been written. */
export type Report = (line: string, done?: () => void) => void

/** Writes to stdout; with `--json`, nothing. */
export function reportUnless(json: boolean): Report {
  if (json) return (_line, done) => done?.()
  // The terminal has just echoed ^C.
  const margin = process.stdout.isTTY ? '\n' : ''
  return (line, done) => void process.stdout.write(`${margin}${line}\n`, () => done?.())
}

const REPEAT_MILLISECONDS = 1_000
