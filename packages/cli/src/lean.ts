/**
 * How V8 is to be run for a region. What has died lies in V8's young generation until that is full, and what has come through sockets is held by small
 * objects there: with the default size a region that copies a million users holds 400 MB, and is no faster for it (docs/decisions/speed.md).
 */
export const leanFlags: readonly string[] = ['--max-semi-space-size=8']

/** Begins the process anew under these flags, in its own place, unless it was given flags of the kind. */
export function beginLean(): void {
  const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ')
  // Not on Windows; and a process that is spoken to by another one gets its flags from that.
  if (!process.execve || process.platform === 'win32' || process.connected || given.includes('semi-space-size')) return
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...leanFlags, ...process.argv.slice(1)])
}
