import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { CommandError } from '../command.ts'
import { leanArguments } from '../lean.ts'
import type { ClockOrder } from './region-command.ts'

/** A region as a child process. It ends when this process ends, even by SIGKILL. */
export interface RegionProcess {
  readonly name: string
  readonly endpoint: string
  readonly logFile: string
  readonly state: 'stopped' | 'starting' | 'running'
  readonly pid: number | undefined
  /** Whether the process is suspended (SIGSTOP): it keeps its connections but does not respond. */
  readonly paused: boolean
  /** How far the region's clock is ahead of the machine's clock. */
  readonly aheadMilliseconds: number
  /** Resolves once the region listens. Throws CommandError with the end of its log. */
  start(): Promise<void>
  /** SIGKILL; resolves once the process has exited. */
  kill(): Promise<void>
  /** SIGTERM, then SIGKILL after ten seconds. */
  stop(): Promise<void>
  pause(): void
  resume(): void
  /** Shifts the region's clock; 0 resets it. The shift survives restarts of the region. */
  setAhead(milliseconds: number): void
}

/** After this time, a region that is asked to stop is killed. */
export const STOP_SECONDS = 10
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
  let paused = false
  let aheadMilliseconds = 0

  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const ending = child
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return
    const exited = once(ending, 'exit')
    // On Windows every signal ends a process at once; a region also stops when its parent disconnects.
    if (signal === 'SIGTERM' && process.platform === 'win32' && ending.connected) ending.disconnect()
    else ending.kill(signal)
    // A suspended process receives SIGTERM only once it is resumed.
    if (signal === 'SIGTERM' && paused) resume()
    const timer = setTimeout(() => ending.kill('SIGKILL'), STOP_SECONDS * 1_000)
    await exited
    clearTimeout(timer)
  }

  const signal = (name: 'SIGSTOP' | 'SIGCONT'): void => {
    if (state !== 'running') return
    child?.kill(name)
    paused = name === 'SIGSTOP'
  }
  const resume = (): void => signal('SIGCONT')

  const orderClock = (): void => {
    // A region that is about to end may miss the message; it starts with the new clock the next time.
    if (state === 'running' && child?.connected) child.send({ aheadMilliseconds } satisfies ClockOrder, () => {})
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
    get paused() {
      return paused
    },
    get aheadMilliseconds() {
      return aheadMilliseconds
    },
    start: async () => {
      if (state !== 'stopped') return
      state = 'starting'
      const log = openSync(logFile, 'a', 0o600)
      const initialAhead = aheadMilliseconds
      const started = fork(main, ['dev-region', '--config', configFile, `--ahead=${initialAhead}`], {
        stdio: ['ignore', log, log, 'ipc'],
        execArgv: leanArguments(),
        // A terminal's Ctrl-C must reach only this process, which then stops its regions in order.
        detached: true,
      })
      closeSync(log)
      child = started
      started.once('exit', () => {
        if (child !== started) return
        state = 'stopped'
        paused = false
      })
      const ready = await Promise.race([
        once(started, 'message').then(() => true),
        once(started, 'exit').then(() => false),
      ])
      if (!ready) throw new CommandError(`region ${name} did not start:\n${tail(logFile)}`)
      state = 'running'
      // A clock set while the region was starting has not been sent yet.
      if (aheadMilliseconds !== initialAhead) orderClock()
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    pause: () => signal('SIGSTOP'),
    resume,
    setAhead: (milliseconds) => {
      aheadMilliseconds = milliseconds
      orderClock()
    },
  }
}

const tail = (file: string): string => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-12).join('\n')
