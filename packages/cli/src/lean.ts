/**
 * V8 flags for a region. V8 collects its young generation only once it is full, and small dead objects there keep socket buffers
 * allocated. With the default size, a region that copies a million users holds 400 MB and is not faster (docs/decisions/speed.md).
 */
export const leanFlags: readonly string[] = ['--max-semi-space-size=8']

/** The flags of this process plus `leanFlags`, for a process that runs a region; without them if the size is already set. */
export function leanArguments(): string[] {
  const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((text) => text.includes('semi-space-size'))
  return given ? process.execArgv : [...process.execArgv, ...leanFlags]
}

/** Replaces this process by itself with `leanFlags` (exec). */
export function beginLean(): void {
  const flags = leanArguments()
  // Windows has no exec. A child process with an IPC channel gets its flags from its parent.
  if (!process.execve || process.platform === 'win32' || process.connected || flags === process.execArgv) return
  process.execve(process.execPath, [process.execPath, ...flags, ...process.argv.slice(1)])
}
