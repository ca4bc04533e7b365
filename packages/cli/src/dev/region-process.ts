import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { CommandError } from '../command.ts'

/** A region as a child process. It ends when this process ends, in whatever way. */
export interface RegionProcess {
  readonly name: string
  readonly endpoint: string
  readonly logFile: string
  readonly state: 'stopped' | 'starting' | 'running'
  readonly pid: number | undefined
  /** Resolves once the region listens. Throws CommandError with the end of its log. */
  start(): Promise<void>
  /** SIGKILL; resolves once the process is gone. */
  kill(): Promise<void>
  /** SIGTERM, then SIGKILL after ten seconds. */
  stop(): Promise<void>
}

const STOP_MILLISECONDS = 10_000
const main = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js', import.meta.url))

export function createRegionProcess({
  name,
  endpoint,
  configFile,
  logFile,
}: {
  name: string
  endpoint: string
  configFile: string
  logFile: string
}): RegionProcess {
  let child: ChildProcess | undefined
  let state: RegionProcess['state'] = 'stopped'

  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const ending = child
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return
    const gone = once(ending, 'exit')
    ending.kill(signal)
    const timer = setTimeout(() => ending.kill('SIGKILL'), STOP_MILLISECONDS)
    await gone
    clearTimeout(timer)
  }

  return {
    name,
    endpoint,
    logFile,
    get state() {
      return state
    },
    get pid() {
      return state === 'stopped' ? undefined : child?.pid
    },
    start: async () => {
      if (state !== 'stopped') return
      state = 'starting'
      const log = openSync(logFile, 'a', 0o600)
      const started = fork(main, ['serve', '--config', configFile, '--json'], {
        stdio: ['ignore', log, log, 'ipc'],
        // The terminal's Ctrl-C is for this process; it stops its regions in order.
        detached: true,
      })
      closeSync(log)
      child = started
      started.once('exit', () => {
        if (child === started) state = 'stopped'
      })
      const ready = await Promise.race([
        once(started, 'message').then(() => true),
        once(started, 'exit').then(() => false),
      ])
      if (!ready) throw new CommandError(`region ${name} did not start:\n${tail(logFile)}`)
      state = 'running'
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  }
}

const tail = (file: string): string => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-12).join('\n')
