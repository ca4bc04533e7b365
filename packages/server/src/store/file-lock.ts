import { closeSync, existsSync, lstatSync, openSync, readdirSync, realpathSync, type Stats, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { systemClock } from '../clock.ts'

/** The process that uses a file. */
export interface LockHolder {
  pid: number
  host: string
  /** The port that it listens on, or is about to; 0 or null: unknown. */
  port: number | null
}

export interface FileLock {
  release(): void
}

/** Another process uses the file, or this process already does. */
export class FileInUseError extends Error {
  readonly holder: LockHolder | undefined

  constructor(file: string, holder: LockHolder | undefined) {
    super(`${file} is in use by ${describe(holder)}: only one process may use it`)
    this.name = 'FileInUseError'
    this.holder = holder
  }
}

/** The lock of a file; `sqlite3` and backups of the file itself do not touch it. */
const SUFFIX = '-lock'
/** Others hold the lock for less than that while they look whether it is held (`findLockHolder`). */
const RETRY_MILLISECONDS = 200
const PAUSE_MILLISECONDS = 5
/** SQLite's result code for a lock held by another connection. https://www.sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5

/**
 * Locks a file, or a folder, for this process until `release` or the end of the process, even by SIGKILL. Node has no lock of its
 * own, so the lock is a transaction on a small SQLite database beside the file: the operating system ends its lock with the
 * process, on every platform, and a process id that is used again means nothing. Others can still read who holds it, because an
 * immediate transaction excludes only writers. Throws FileInUseError.
 */
export function lockFile(file: string, { port }: { port?: number | undefined } = {}): FileLock {
  const path = resolveLinks(file)
  refuseHardLinks(path)
  // Only if it is missing: closing a file ends every lock that this process has on it. https://www.sqlite.org/howtocorrupt.html
  if (!existsSync(`${path}${SUFFIX}`)) closeSync(openSync(`${path}${SUFFIX}`, 'a', 0o600))
  const database = openLock(path)
  try {
    inUseIfBusy(database, path, () => {
      database.exec('begin exclusive')
      database.exec('create table if not exists holder (value text not null)')
      database.exec('delete from holder')
      const holder: LockHolder = { pid: process.pid, host: hostname(), port: port ?? null }
      database.prepare('insert into holder (value) values (?)').run(JSON.stringify(holder))
      database.exec('commit')
      // Another process that begins between these two transactions wins: then this one fails here.
      database.exec('begin immediate')
    })
  } catch (error) {
    database.close()
    throw error
  }
  return {
    release: () => {
      if (database.isOpen) database.close()
    },
  }
}

/** The process that holds the lock of a file; undefined: none. */
export function findLockHolder(file: string): LockHolder | 'unknown' | undefined {
  const path = resolveLinks(file)
  if (!existsSync(`${path}${SUFFIX}`)) return undefined
  const database = openLock(path)
  try {
    database.exec('begin immediate')
    database.exec('rollback')
    return undefined
  } catch (error) {
    if (!isBusy(error)) throw lockError(path, error)
    return readHolder(database) ?? 'unknown'
  } finally {
    database.close()
  }
}

function openLock(path: string): DatabaseSync {
  try {
    return new DatabaseSync(`${path}${SUFFIX}`, { timeout: 0 })
  } catch (error) {
    throw lockError(path, error)
  }
}

/** SQLite's errors name no file: they would be taken for those of the store. */
const lockError = (path: string, error: unknown): Error => new Error(`${path}${SUFFIX}: ${(error as Error).message}`)

/** Tries for a moment. Each try begins anew, so that the recorded holder is the one that has the lock. */
function inUseIfBusy(database: DatabaseSync, path: string, take: () => void): void {
  const began = systemClock.monotonic()
  for (;;) {
    try {
      take()
      return
    } catch (error) {
      if (database.isTransaction) database.exec('rollback')
      if (!isBusy(error)) throw lockError(path, error)
      if (systemClock.monotonic() - began > RETRY_MILLISECONDS) throw new FileInUseError(path, readHolder(database))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MILLISECONDS)
    }
  }
}

const isBusy = (error: unknown): boolean => (error as { errcode?: number }).errcode === SQLITE_BUSY

/** Undefined while the holder is being written. */
function readHolder(database: DatabaseSync): LockHolder | undefined {
  try {
    const row = database.prepare('select value from holder').get() as { value: string } | undefined
    return row && (JSON.parse(row.value) as LockHolder)
  } catch {
    return undefined
  }
}

function describe(holder: LockHolder | undefined): string {
  if (!holder) return 'another process'
  const port = holder.port ? `, port ${holder.port}` : ''
  const host = holder.host === hostname() ? '' : ` on ${holder.host}`
  return `process ${holder.pid}${host}${port}`
}

/** The path without symbolic links; of a missing file, that of its folder. */
const resolveLinks = (file: string): string =>
  existsSync(file) ? realpathSync(file) : join(realpathSync(dirname(file)), basename(file))

/**
 * SQLite names the write-ahead log of a database after the path, so two names of one file have two logs and damage it. Throws an error.
 * https://www.sqlite.org/howtocorrupt.html
 */
export function refuseHardLinks(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found?.isFile() || found.nlink < 2) return
  const others = readdirSync(dirname(path))
    .map((name) => join(dirname(path), name))
    .filter((other) => other !== path && isSameFile(lstatSync(other, { throwIfNoEntry: false }), found))
  for (const other of others) {
    const holder = findLockHolder(other)
    if (holder) throw new FileInUseError(other, holder === 'unknown' ? undefined : holder)
  }
  throw new Error(`${path} has ${found.nlink} hard links: SQLite would damage it; use one name, or copy the file`)
}

const isSameFile = (one: Stats | undefined, other: Stats): boolean => one?.ino === other.ino && one.dev === other.dev
