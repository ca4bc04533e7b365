import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { giveTo } from './home.ts'
import type { Installation } from './installation.ts'
import { lastLines, type OsUser, run } from './os-user.ts'
import { PostgresError } from './postgres-error.ts'

export const superuser = 'postgres'
/** How long a shutdown may take. */
export const SHUTDOWN_MILLISECONDS = 20_000

/** Runs initdb in a directory beside `data` and renames it, so that a run that is killed halfway leaves no partial `data`. */
export async function initialise(parts: {
  data: string
  installation: Installation
  user: OsUser | undefined
}): Promise<void> {
  const { data, installation, user } = parts
  const present = await readFile(join(data, 'PG_VERSION'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (present !== undefined) {
    if (Number(present) === installation.major) return
    throw new PostgresError(
      `${data} was created by PostgreSQL ${present.trim()}, but this is ${installation.major}: move it away, or use that version.`,
    )
  }
  const fresh = await mkdtemp(`${data}.new-`)
  await giveTo(fresh, user)
  const passwordFile = join(dirname(data), `password-${randomBytes(6).toString('hex')}`)
  const password = randomBytes(24).toString('base64url')
  try {
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' })
    await giveTo(passwordFile, user)
    await chmod(passwordFile, 0o600)
    const { code, output } = await run(
      join(installation.bin, 'initdb'),
      [
        ...['-D', fresh, '-U', superuser, '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--encoding=UTF8'],
        '--locale=C',
        // PostgreSQL 17 and newer have C.UTF-8 built in; older versions depend on the locales of the system.
        ...(installation.major >= 17 ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : []),
      ],
      user,
    )
    if (code !== 0) throw new PostgresError(`initdb failed (exit code ${code}):\n${lastLines(output)}`)
    await rename(passwordFile, join(fresh, 'twinpool-password'))
    await rename(fresh, data)
  } catch (error) {
    await rm(passwordFile, { force: true })
    await rm(fresh, { recursive: true, force: true })
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error
  }
}

/**
 * Removes the postmaster.pid of a killed run. Its process id may belong to an unrelated process by now, because of which
 * PostgreSQL would refuse to start; or to the previous server, which is still shutting down and is waited for.
 */
export async function clearStaleLock(data: string): Promise<void> {
  const lock = join(data, 'postmaster.pid')
  const deadline = Date.now() + SHUTDOWN_MILLISECONDS
  for (;;) {
    const pid = await postmasterPid(data)
    if (pid === undefined) return
    if (!(await isServerOf(pid, data))) {
      await rm(lock, { force: true })
      return
    }
    if (Date.now() > deadline) {
      throw new PostgresError(`${data} is in use by another PostgreSQL (process ${pid}).`)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

export async function postmasterPid(data: string): Promise<number | undefined> {
  const content = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')
  const pid = Number.parseInt(content, 10)
  return Number.isNaN(pid) ? undefined : pid
}

/** Whether the process is a PostgreSQL server on this data directory. */
export async function isServerOf(pid: number, data: string): Promise<boolean> {
  if (process.platform !== 'linux') {
    return (await run('ps', ['-o', 'command=', '-p', String(pid)], undefined)).output.includes(data)
  }
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return command.split('\0').includes(data)
}
