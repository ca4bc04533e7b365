/** Programs of Debian packages for tests: unpacked into the user's cache (root's: /var/cache), so nothing is installed on the machine. */
import { execFile } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface DebianTools {
  /** The folder into which the packages were unpacked: `usr/bin`, `usr/sbin`, `etc`, … are in it. */
  root: string
  /** The environment of a process that runs one of the programs: PATH, LD_LIBRARY_PATH and PYTHONPATH lead to the folder first. */
  env: NodeJS.ProcessEnv
}

/**
 * The programs of the packages, with the packages that they depend on and that the machine lacks. Returns the reason, for the
 * `skip` of a test, if the machine has no `apt-get`, no package lists or no network.
 */
export async function debianTools(packages: readonly string[]): Promise<DebianTools | string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? cacheFolder(), 'twinpool', 'debian')
  const root = join(cache, [...packages].sort().join('+'))
  try {
    if (!existsSync(root)) await unpack(packages, { cache, root })
  } catch (error) {
    return `the Debian packages ${packages.join(', ')} cannot be unpacked here: ${firstLine(error)}`
  }
  return { root, env: environmentOf(root) }
}

/** Programs that refuse to run as root run under a user that cannot reach root's home. */
const cacheFolder = (): string => (process.getuid?.() === 0 ? '/var/cache' : join(homedir(), '.cache'))

async function unpack(packages: readonly string[], { cache, root }: { cache: string; root: string }): Promise<void> {
  mkdirSync(cache, { recursive: true })
  const partial = mkdtempSync(join(cache, 'partial-'))
  try {
    const unsandboxed = ['-o', 'APT::Sandbox::User=root']
    const missing = await missingPackages(packages)
    await run('apt-get', [...unsandboxed, 'download', ...missing], { cwd: partial, timeout: 120_000 })
    const tree = join(partial, 'tree')
    for (const file of globSync('*.deb', { cwd: partial })) await run('dpkg', ['-x', join(partial, file), tree])
    // Another process may have finished first: its folder is as good.
    if (!existsSync(root)) renameSync(tree, root)
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}

/** The packages, and those dependencies of theirs that are not installed. */
async function missingPackages(packages: readonly string[]): Promise<string[]> {
  const args = ['install', '--simulate', '--no-install-recommends', ...packages]
  const { stdout } = await run('apt-get', args, { timeout: 60_000 })
  const names = stdout.matchAll(/^Inst (\S+) /gm)
  return [...new Set([...packages, ...[...names].map(([, name]) => name as string)])]
}

function environmentOf(root: string): NodeJS.ProcessEnv {
  const inFront = (name: string, folders: string[]): Record<string, string> => ({
    [name]: [...folders.map((folder) => join(root, folder)), process.env[name]].filter(Boolean).join(':'),
  })
  return {
    ...process.env,
    ...inFront('PATH', ['usr/bin', 'usr/sbin']),
    ...inFront('LD_LIBRARY_PATH', globSync('usr/lib/*-linux-gnu', { cwd: root })),
    ...inFront('PYTHONPATH', ['usr/lib/python3/dist-packages']),
  }
}

const firstLine = (error: unknown): string => {
  const { stderr, message } = error as Error & { stderr?: string }
  return (stderr || message).trim().split('\n').at(-1) as string
}
