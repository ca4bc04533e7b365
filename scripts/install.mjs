// Plain JavaScript for Node 20 with nothing installed: this file runs before the dependencies exist.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(dirname(fileURLToPath(import.meta.url)))
const lockLifetimeMs = 20 * 60_000
const guardLifetimeMs = 10_000

/**
 * Makes sure that the dependencies named by package-lock.json are installed, and installs them when they are missing or
 * stale. Two copies may call this at once: one installs, the other waits for it.
 *
 * @param {{ root?: string, say?: (line: string) => void }} [options]
 * @returns {Promise<string>} the path of the pinned Node binary
 * @throws {Error} when npm fails; the message is meant for people
 */
export async function ensureInstalled({ root = here, say = sayOnStderr } = {}) {
  if (!isInstalled(root)) {
    const release = await takeLock(root, say)
    try {
      if (!isInstalled(root)) install(root, say)
    } finally {
      release()
    }
  }
  return pinnedNode(root)
}

/** @param {string} root */
export function pinnedNode(root = here) {
  return join(root, 'node_modules', 'node', 'bin', 'node')
}

/**
 * True when the stamp in node_modules is that of the present package-lock.json and of this platform. A tree that was
 * installed by hand has no stamp; it counts when npm's own record of it agrees with package-lock.json.
 *
 * @param {string} root
 */
export function isInstalled(root) {
  if (!isExecutable(pinnedNode(root))) return false
  if (readOrUndefined(stampFile(root)) === stamp(root)) return true
  if (!installedByHand(root)) return false
  writeFileSync(stampFile(root), stamp(root))
  return true
}

/** @param {string} root @param {(line: string) => void} say */
function install(root, say) {
  say(existsSync(join(root, 'node_modules')) ? 'Dependencies have changed; installing…' : 'Installing dependencies…')
  // npm ci refuses a lock that was made on another platform without the optional packages of this one; npm install does
  // not, and keeps to the locked versions too. What npm ci said is of interest only when neither succeeds.
  const first = npm(root, ['ci'], ['ignore', 'pipe', 'pipe'])
  if (first.status !== 0 && npm(root, ['install', '--no-save'], onStderr).status !== 0) {
    throw new Error(`The dependencies could not be installed. What npm ci said:\n${first.stdout}${first.stderr}`)
  }
  // With ignore-scripts set in the user's npm configuration, the node package has not fetched its binary.
  if (!isExecutable(pinnedNode(root))) {
    const options = { cwd: join(root, 'node_modules', 'node'), stdio: onStderr }
    spawnSync(process.execPath, ['installArchSpecificPackage.js'], options)
  }
  if (!isExecutable(pinnedNode(root))) {
    throw new Error('The pinned Node binary is missing: the install script of the npm package "node" did not run.')
  }
  writeFileSync(stampFile(root), stamp(root))
}

/** npm talks on stderr, because stdout belongs to the command that is about to run. */
const onStderr = /** @type {const} */ (['ignore', 2, 2])

/** @param {string} root @param {string[]} verb @param {import('node:child_process').StdioOptions} stdio */
function npm(root, verb, stdio) {
  // Development dependencies are asked for by name: NODE_ENV=production would leave them out.
  const args = [...verb, '--loglevel=error', '--no-audit', '--no-fund', '--include=dev', '--include=optional']
  const run = spawnSync('npm', args, { cwd: root, stdio, encoding: 'utf8' })
  if (run.error) throw new Error(`npm could not be started (${run.error.message}). It comes with Node.`)
  return run
}

/** @param {string} root */
function stampFile(root) {
  return join(root, 'node_modules', '.twinpool-stamp')
}

/** @param {string} root */
function stamp(root) {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  return `${lock} ${process.platform}-${process.arch}\n`
}

/**
 * Compares npm's hidden lockfile with package-lock.json. Optional packages may be absent: most are for other platforms.
 *
 * @param {string} root
 */
function installedByHand(root) {
  const record = readOrUndefined(join(root, 'node_modules', '.package-lock.json'))
  if (record === undefined) return false
  const present = JSON.parse(record).packages
  const wanted = Object.entries(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages)
  return wanted.every(([path, { version, optional, devOptional, peer, link }]) => {
    if (!path.startsWith('node_modules/')) return true
    const found = present[path]
    if (found === undefined) return Boolean(optional || devOptional || peer)
    return link ? found.link === true : found.version === version
  })
}

/**
 * The lock is a symbolic link whose target is the owner's process id: made in one step, so it is never seen half written.
 *
 * @param {string} root @param {(line: string) => void} say @returns {Promise<() => void>}
 */
async function takeLock(root, say) {
  const lock = join(root, '.twinpool', 'install.lock')
  mkdirSync(dirname(lock), { recursive: true })
  let told = false
  while (!makeLink(lock)) {
    if (isStale(lock, lockLifetimeMs)) {
      removeStale(lock)
      continue
    }
    if (!told) say('Another copy is installing the dependencies; waiting for it…')
    told = true
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  return () => unlinkIfPresent(lock)
}

/**
 * Only the holder of the guard may remove a stale lock, and looks again first: otherwise two copies that both saw a
 * stale lock could remove each other's fresh one.
 *
 * @param {string} lock
 */
function removeStale(lock) {
  const guard = `${lock}.guard`
  if (!makeLink(guard)) {
    if (isStale(guard, guardLifetimeMs)) unlinkIfPresent(guard)
    return
  }
  try {
    if (isStale(lock, lockLifetimeMs)) unlinkIfPresent(lock)
  } finally {
    unlinkIfPresent(guard)
  }
}

/** @param {string} path */
function makeLink(path) {
  try {
    symlinkSync(String(process.pid), path)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

/** @param {string} path @param {number} lifetimeMs */
function isStale(path, lifetimeMs) {
  try {
    return !isAlive(Number(readlinkSync(path))) || Date.now() - lstatSync(path).mtimeMs > lifetimeMs
  } catch (error) {
    if (error.code === 'ENOENT') return false
    throw error
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).size > 0
  } catch {
    return false
  }
}

/** @param {string} path */
function readOrUndefined(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

/** @param {string} path */
function unlinkIfPresent(path) {
  try {
    unlinkSync(path)
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
}

/** @param {string} line */
function sayOnStderr(line) {
  process.stderr.write(`twinpool: ${line}\n`)
}
