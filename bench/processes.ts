import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

/** A server in its own process, and the message that it sent when it was ready. */
export interface Running<T> {
  ready: T
  pid: number
  /** The child process, for servers that receive messages. */
  child: ChildProcess
  stop(): Promise<void>
}

/**
 * Starts a server that sends one IPC message when it is ready. Its output goes to a log file in `directory`.
 * @throws Error if the server exits before it is ready
 */
export async function start<T>(
  file: string,
  {
    name,
    directory,
    args = [],
    env = {},
    flags = [],
    built = false,
  }: {
    name: string
    directory: string
    args?: readonly string[]
    env?: Readonly<Record<string, string>>
    flags?: readonly string[]
    /** Run the compiled packages, as installed by users, instead of the sources. */
    built?: boolean
  },
): Promise<Running<T>> {
  const logFile = join(directory, `${name}.log`)
  const log = openSync(logFile, 'a')
  const child = fork(file, [...args], {
    cwd: directory,
    env: { ...process.env, NODE_ENV: 'production', ...env },
    execArgv: [...(built ? [] : ['--conditions=twinpool-source']), '--disable-warning=ExperimentalWarning', ...flags],
    stdio: ['ignore', log, log, 'ipc'],
  })
  closeSync(log)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const ready = await Promise.race([
    new Promise<T>((resolve) => child.once('message', (message) => resolve(message as T))),
    ended.then(() => {
      throw new Error(`${name} ended with ${child.exitCode ?? child.signalCode}; see ${logFile}`)
    }),
  ])
  return { ready, pid: child.pid as number, child, stop: () => stop(child, ended) }
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
  await ended
}

let compiled = false

/**
 * Path of the `twinpool` program: its source, or the compiled file, which the first call builds. @throws Error if the
 * build fails
 */
export function mainOf({ built }: { built: boolean }): string {
  const packages = join(import.meta.dirname, '../packages')
  if (!built) return join(packages, 'cli/src/main.ts')
  if (!compiled) {
    const script = join(import.meta.dirname, '../scripts/build.ts')
    if (spawnSync(process.execPath, [script], { stdio: ['ignore', 2, 2] }).status !== 0) {
      throw new Error('the packages could not be compiled')
    }
  }
  compiled = true
  return join(packages, 'cli/dist/main.js')
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  const { port } = server.address() as { port: number }
  const closed = Promise.withResolvers<void>()
  server.close(() => closed.resolve())
  await closed.promise
  return port
}

/** A clock tick in /proc is 10 ms on every Linux that Node supports. */
const TICK_MILLISECONDS = 10

/** CPU time that a process has used so far in all its threads, in milliseconds. NaN if it cannot be read. */
export function processorTime(pid: number): number {
  try {
    // https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html : fields 14 and 15; the name (field 2) is cut off first, because it may contain spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MILLISECONDS
  } catch {
    return Number.NaN
  }
}
