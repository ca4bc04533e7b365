/**
 * How V8 is to be run for a region. What has died lies in V8's young generation until that is full, and what has come through sockets is held by small
 * objects there: with the default size a region that copies a million users holds 400 MB, and is no faster for it (docs/decisions/speed.md).
 */
export const leanFlags: readonly string[] = ['--max-semi-space-size=8']

/** The flags of this process with these, for one that is to run a region, unless somebody has given flags of the kind. */
export function leanArguments(): string[] {
  const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((text) => text.includes('semi-space-size'))
  return given ? process.execArgv : [...process.execArgv, ...leanFlags]
}

/** Begins the process anew under them, in its own place. */
export function beginLean(): void {
  const flags = leanArguments()
  // Not on Windows; and a process that is spoken to by another one gets its flags from that.
  if (!process.execve || process.platform === 'win32' || process.connected || flags === process.execArgv) return
  process.execve(process.execPath, [process.execPath, ...flags, ...process.argv.slice(1)])
}
