import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

/** Flags for every run of the pinned Node: workspace packages resolve to their TypeScript sources. */
export const sourceFlags = ['--conditions=twinpool-source', '--disable-warning=ExperimentalWarning']

/** Node's compile cache, which includes stripped TypeScript: a region starts in half the time. */
const compileCache = fileURLToPath(new URL('../node_modules/.cache/compile', import.meta.url))

const forwarded = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])
const isWindows = process.platform === 'win32'
const PARENT_CHECK_MILLISECONDS = 250

/**
 * Runs a program in our place: same terminal, same stdin; signals are forwarded to it. On Ctrl-C the program receives the
 * signal twice (from the terminal and from us), so it must treat a repeated signal as the same request.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<number>} the exit code; 128 + n for a program that ended by signal n, as shells report it
 */
export function handOver(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const env = { NODE_COMPILE_CACHE: compileCache, ...(options.env ?? process.env) }
    const child = spawn(program, args, { stdio: 'inherit', ...options, env })
    const listeners = forwarded.map((signal) => {
      // Windows sends Ctrl-C to every process of the console; kill() would end the child at once there.
      const listener = () => void (isWindows || child.kill(signal))
      process.on(signal, listener)
      return { signal, listener }
    })
    // npm forwards signals to the shell that started this process. That shell may not pass them on, and a killed npm forwards
    // nothing. So end the program when the shell or npm has exited, or when the shell has woken up, which only a signal can cause.
    const underNpm = process.env.npm_lifecycle_event !== undefined
    const parent = process.ppid
    let shell = underNpm ? shellState(parent) : undefined
    // Ctrl-Z and fg also wake the shell, and this process.
    const onContinue = () => {
      shell = shellState(parent)
    }
    if (underNpm && !isWindows) process.on('SIGCONT', onContinue)
    const checkParent = () => {
      const now = shellState(parent)
      if (!isParent(parent) || now?.parent !== shell?.parent) child.kill('SIGTERM')
      else if (now?.wakeUps !== shell?.wakeUps) child.kill('SIGINT')
      shell = now
    }
    const watch = underNpm ? setInterval(checkParent, PARENT_CHECK_MILLISECONDS) : undefined
    const settle = (settled) => {
      clearInterval(watch)
      process.off('SIGCONT', onContinue)
      for (const { signal, listener } of listeners) process.off(signal, listener)
      settled()
    }
    child.once('error', (error) => settle(() => reject(error)))
    child.once('exit', (code, signal) => settle(() => resolve(code ?? 128 + constants.signals[signal])))
  })
}

/** On Windows process.ppid keeps its value when the parent ends. @param {number} pid */
function isParent(pid) {
  if (!isWindows) return process.ppid === pid
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/**
 * The parent of the shell that waits for this process, and how often the shell has been woken. Debian's sh (dash) does not exec its
 * last command, and receives a SIGINT from npm without forwarding it or ending: only this count shows it. Undefined if the parent
 * is not such a shell, and outside Linux.
 *
 * @param {number} pid
 */
function shellState(pid) {
  if (process.platform !== 'linux') return undefined
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const field = (/** @type {string} */ name) => new RegExp(`^${name}:\\s+(.+)$`, 'm').exec(status)?.[1]
    if (!/^(sh|dash|ash|busybox)$/.test(field('Name') ?? '')) return undefined
    return { parent: field('PPid'), wakeUps: field('voluntary_ctxt_switches') }
  } catch {
    return undefined
  }
}
