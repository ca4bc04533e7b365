import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import manifest from '../../package.json' with { type: 'json' }
import { inRepository, invocation } from '../invocation.ts'
import { startPostgres } from '../postgres/start.ts'
import { findFreePorts, findPortUser } from './ports.ts'

/** The result of one check. `fix` is the remedy if `ok` is false. */
export interface Check {
  name: string
  ok: boolean
  detail: string
  fix?: string
}

const LEAST_NODE = 24

export function checkNode(version: string = process.versions.node): Check {
  const ok = Number.parseInt(version, 10) >= LEAST_NODE
  const detail = `${version} on ${process.platform}-${process.arch}`
  const fix = inRepository ? 'run npm ci, which brings Node' : `install Node ${LEAST_NODE} or newer`
  return { name: 'Node', ok, detail, ...(!ok && { fix }) }
}

/** Checks that the AWS SDK clients are installed, in the version that this package requires, with the operations for replicas. */
export async function checkSdk(): Promise<Check[]> {
  const wanted = Object.entries(manifest.dependencies).filter(([name]) => name.startsWith('@aws-sdk/'))
  const fix = inRepository ? 'npm ci' : `npm install twinpool@${manifest.version}`
  return Promise.all(
    wanted.map(async ([name, version]): Promise<Check> => {
      const found = await versionOf(name)
      const ok = found === version
      const detail = found === undefined ? 'not installed' : ok ? found : `${found}, and ${version} is needed`
      return { name, ok, detail, ...(!ok && { fix }) }
    }),
  )
}

async function versionOf(name: string): Promise<string | undefined> {
  try {
    let folder = dirname(createRequire(import.meta.url).resolve(name))
    while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder)
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }
    return version
  } catch {
    return undefined
  }
}

/** Checks the control port and one port for each region. */
export async function checkPorts(port: number, regions: number): Promise<Check[]> {
  const ports = Array.from({ length: regions + 1 }, (_, at) => port + at)
  const users = await Promise.all(ports.map(findPortUser))
  // The regions of a running plane hold the ports after its own.
  if (users[0]?.kind === 'plane') {
    return [{ name: `port ${port}`, ok: true, detail: users[0].description }]
  }
  const free = users.some((user) => user !== undefined) ? await findFreePorts(port + 100, regions + 1) : undefined
  return ports.map((number, at) => {
    const user = users[at]
    const fix =
      free === undefined ? `end that program, or choose another --port` : invocation('dev', '--port', String(free))
    return {
      name: `port ${number}`,
      ok: user === undefined,
      detail: user?.description ?? 'free',
      ...(user !== undefined && { fix }),
    }
  })
}

/** Checks that the data folder, or the folder in which it would be created, is writable. Leaves no files behind. */
export async function checkDataFolder(directory: string): Promise<Check> {
  const name = 'data folder'
  let existing = resolve(directory)
  while (!existsSync(existing) && existing !== dirname(existing)) existing = dirname(existing)
  try {
    const probe = await mkdtemp(join(existing, '.twinpool-doctor-'))
    try {
      await writeFile(join(probe, 'probe'), 'x'.repeat(1_024))
    } finally {
      await rm(probe, { recursive: true, force: true })
    }
    return { name, ok: true, detail: resolve(directory) }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const fixes: Record<string, string> = {
      EACCES: `chmod u+rwx ${existing}, or keep nothing: ${invocation('dev', '--ephemeral')}`,
      ENOTDIR: `${existing} is a file. Keep nothing: ${invocation('dev', '--ephemeral')}`,
      ENOSPC: `free some space on the disk of ${existing}`,
      EROFS: `${existing} is read-only. Keep nothing: ${invocation('dev', '--ephemeral')}`,
    }
    const fix = fixes[code ?? ''] ?? `make ${existing} writable, or keep nothing: ${invocation('dev', '--ephemeral')}`
    return { name, ok: false, detail: `${resolve(directory)} cannot be written: ${message}`, fix }
  }
}

/** Starts the PostgreSQL that `--store postgres` and the tests use, and stops it again. */
export async function checkPostgres(start: typeof startPostgres = startPostgres): Promise<Check> {
  const name = 'PostgreSQL'
  const asRoot = process.getuid?.() === 0
  try {
    const postgres = await start({ durable: false })
    await postgres.stop()
    return { name, ok: true, detail: asRoot ? 'starts, as a user other than root' : 'starts' }
  } catch (error) {
    const hint = asRoot
      ? 'PostgreSQL refuses to run as root: run this as another user'
      : inRepository
        ? 'npm ci, or install PostgreSQL 14 or newer'
        : 'install PostgreSQL 14 or newer'
    const fix = `${hint}. SQLite does not need it: ${invocation('dev', '--store', 'sqlite')}`
    return { name, ok: false, detail: (error as Error).message.trim(), fix }
  }
}
