import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

/** What the pinned Node is always started with: workspace packages resolve to their TypeScript sources. */
export const sourceFlags = ['--conditions=twinpool-source', '--disable-warning=ExperimentalWarning']

/** Where Node keeps what it has compiled, stripped TypeScript included: a region starts in half the time. */
const compileCache = fileURLToPath(new URL('../node_modules/.cache/compile', import.meta.url))

const passedOn = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])

/**
 * Runs a program in our place: same terminal, same stdin; signals are passed on to it. On Ctrl-C the program hears of it
 * twice (from the terminal and from us), so it must take a repeated signal for the same wish.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<number>} the exit code; 128 + n for a program that ended by signal n, as shells say it
 */
export function handOver(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const env = { NODE_COMPILE_CACHE: compileCache, ...(options.env ?? process.env) }
    const child = spawn(program, args, { stdio: 'inherit', ...options, env })
    const listeners = passedOn.map((signal) => {
      const listener = () => child.kill(signal)
      process.on(signal, listener)
      return { signal, listener }
    })
    // npm forwards signals, but a killed npm forwards nothing: then what it started ends too. (The scripts in package.json
    // begin with exec because a shell in between would keep the signals to itself.)
    const parent = process.ppid
    const watch = setInterval(() => {
      if (process.env.npm_lifecycle_event !== undefined && process.ppid !== parent) child.kill('SIGTERM')
    }, 500)
    const settle = (settled) => {
      clearInterval(watch)
      for (const { signal, listener } of listeners) process.off(signal, listener)
      settled()
    }
    child.once('error', (error) => settle(() => reject(error)))
    child.once('exit', (code, signal) => settle(() => resolve(code ?? 128 + constants.signals[signal])))
  })
}
