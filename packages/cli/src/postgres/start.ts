import { readFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import pg from 'pg'
import { clearStaleLock, initialise, superuser } from './data-directory.ts'
import { prepareHome } from './home.ts'
import { findInstallation } from './installation.ts'
import { ownerOf, unprivilegedUser } from './os-user.ts'
import { PostgresError } from './postgres-error.ts'
import { launchOnPort, stopServer } from './server-process.ts'

export interface PostgresOptions {
  /** The data directory, for PostgreSQL alone. Default: a temporary directory, removed at the end. */
  directory?: string
  /** TCP port on 127.0.0.1. Default, or 0: a free port. */
  port?: number
  /** Default true: fsync and synchronous commit. False is faster and loses data when the machine crashes. */
  durable?: boolean
  /** More server settings, for instance `wal_level`. */
  settings?: Readonly<Record<string, string | number>>
  /** The directory with `initdb` and `postgres`. Default: found automatically. */
  binaries?: string
}

export interface Postgres {
  /** Superuser URL of the database `postgres`, including the password. */
  url: string
  /** Creates the database unless it exists, and returns its URL. */
  createDatabase(name: string): Promise<string>
  /** Disconnects all clients, shuts down cleanly, and removes a temporary directory. May be called twice. */
  stop(): Promise<void>
}

/**
 * Starts PostgreSQL on 127.0.0.1 and returns once it accepts connections. It listens on no socket file, requires a password
 * (SCRAM), stores UTF-8 in the C.UTF-8 locale, and allows 200 connections. When this process is root's, PostgreSQL runs under
 * another user. It shuts down when this process ends, even by SIGKILL.
 *
 * @throws {PostgresError} no usable installation; the directory is in use, holds other files or data of another major
 * version; initdb failed; the given port is taken
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  if (process.platform === 'win32') {
    throw new PostgresError('There is no bundled PostgreSQL for Windows: give the postgres:// URL of a running server.')
  }
  const owner = options.directory === undefined ? undefined : await ownerOf(join(resolve(options.directory), 'data'))
  const user = await unprivilegedUser(owner)
  const installation = await findInstallation(user, options.binaries)
  const home = await prepareHome(options.directory, user)
  try {
    const data = join(home, 'data')
    await initialise({ data, installation, user })
    await clearStaleLock(data)
    const password = (await readFile(join(data, 'twinpool-password'), 'utf8')).trim()
    const temporary = options.directory === undefined ? home : undefined
    const { server, port } = await launchOnPort({ ...options, temporary, data, installation, user })
    const urlOf = (database: string) =>
      `postgres://${superuser}:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`
    return {
      url: urlOf('postgres'),
      createDatabase: async (name) => {
        await createDatabase(urlOf('postgres'), name)
        return urlOf(name)
      },
      stop: async () => {
        await stopServer(server, data)
        if (options.directory === undefined) await rm(home, { recursive: true, force: true })
      },
    }
  } catch (error) {
    if (options.directory === undefined) await rm(home, { recursive: true, force: true })
    throw error
  }
}

async function createDatabase(url: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`)
  } catch (error) {
    // duplicate_database; unique_violation when two processes create it at once.
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error
  } finally {
    await client.end()
  }
}
