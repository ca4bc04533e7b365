import { access, chmod, chown, constants, mkdir, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type OsUser, run } from './os-user.ts'
import { PostgresError } from './postgres-error.ts'

/** A folder for files that the user must be able to reach. /var/cache comes first, because nothing cleans it up by age. */
export async function reachableFolder(user: OsUser | undefined): Promise<string> {
  const folders = [...(user === undefined ? [] : ['/var/cache']), tmpdir(), '/var/tmp', '/tmp']
  for (const folder of folders) {
    if ((await allowsUs(folder, constants.W_OK | constants.X_OK)) && (await canReach(folder, user))) return folder
  }
  throw new PostgresError(
    `PostgreSQL needs a folder that its user can reach and we can write to; tried: ${folders.join(', ')}.`,
  )
}

async function allowsUs(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}

async function canReach(folder: string, user: OsUser | undefined): Promise<boolean> {
  return (await run('/bin/sh', ['-c', 'cd "$0"', folder], user)).code === 0
}

/**
 * Returns the directory that holds `data`. When the user cannot reach the wanted directory (a clone in root's home), the data
 * is kept elsewhere, and the file `moved-to` in the wanted directory holds its path. Without that file, a new one is created.
 */
export async function prepareHome(wanted: string | undefined, user: OsUser | undefined): Promise<string> {
  if (wanted === undefined) {
    const home = await mkdtemp(join(await temporaryFolder(user), 'twinpool-pg-'))
    await giveTo(home, user)
    return home
  }
  const home = resolve(wanted)
  await mkdir(home, { recursive: true })
  if (!(await allowsUs(home, constants.R_OK | constants.W_OK | constants.X_OK))) {
    throw new PostgresError(`${home} belongs to another user: run this as that user, or choose another directory.`)
  }
  const pointer = join(home, 'moved-to')
  const moved = (await readFile(pointer, 'utf8').catch(() => '')).trim()
  if (moved !== '' && (await stat(moved).catch(() => undefined)) !== undefined) return moved

  const foreign = (await readdir(home)).filter((name) => name !== 'moved-to' && !/^(data|password-)/.test(name))
  if (foreign.length > 0) {
    throw new PostgresError(`${home} holds other files (${foreign[0]}, …): PostgreSQL needs an empty directory.`)
  }
  await giveTo(home, user)
  if (await canReach(home, user)) return home

  const elsewhere = await mkdtemp(join(await lastingFolder(user), 'postgres-'))
  await giveTo(elsewhere, user)
  await writeFile(pointer, `${elsewhere}\n`)
  return elsewhere
}

async function temporaryFolder(user: OsUser | undefined): Promise<string> {
  return (await canReach(tmpdir(), user)) ? tmpdir() : '/tmp'
}

async function lastingFolder(user: OsUser | undefined): Promise<string> {
  const folder = '/var/lib/twinpool'
  await mkdir(folder, { recursive: true, mode: 0o755 })
  if (await canReach(folder, user)) return folder
  throw new PostgresError(`PostgreSQL's user can reach neither the data directory nor ${folder}.`)
}

export async function giveTo(path: string, user: OsUser | undefined): Promise<void> {
  await chmod(path, 0o700)
  if (user !== undefined) await chown(path, user.uid, user.gid)
}
