import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { systemClock } from '../clock.ts'

/**
 * The file of an open SQLite database. A file that is renamed over it, or copied after it was removed, is another file, while the
 * connections stay with the removed one: everything that they write is lost.
 */
export interface WatchedFile {
  /** Whether the path still leads to the file of the connections. */
  isSame(): boolean
  /** Call from time to time while the file is the same: notes which write-ahead log belongs to it. */
  noteLog(): void
  /**
   * Whether another file has taken the place of the file; the next comparisons are with this one. Waits while the other file is being
   * written. Throws if there is no file.
   */
  isReplaced(): Promise<boolean>
  /**
   * Removes the write-ahead log of the replaced file, whose connections must be closed: SQLite would take it for that of the new
   * file.
   */
  removeLeftovers(): void
}

/** Names the file and the write-ahead log that belongs to it, for the process that starts after a crash. */
const OWNER = '-wal-owner'

/**
 * Removes a write-ahead log that a crashed process left, if another file has taken the place of the one that it belongs to. Call it
 * before the file is opened: SQLite would write the pages of the log into the other file.
 */
export function removeForeignLog(file: string): void {
  const owner = readOwner(file)
  if (owner === undefined || owner.log !== logIdentity(file) || owner.file === String(nodeOf(file))) return
  for (const path of [`${file}-wal`, `${file}-shm`]) rmSync(path, { force: true })
}

function readOwner(file: string): { file: string; log: string } | undefined {
  try {
    return JSON.parse(readFileSync(`${file}${OWNER}`, 'utf8'))
  } catch {
    // There is none, or a crash cut it off.
    return undefined
  }
}

const UNCHANGED_MILLISECONDS = 250
const MAX_WAIT_MILLISECONDS = 10_000

export function watchFile(file: string): WatchedFile {
  const paths = [`${file}-wal`, `${file}-shm`]
  let opened = nodeOf(file)
  let log: (bigint | undefined)[] = []

  return {
    isSame: () => nodeOf(file) === opened,
    noteLog: () => {
      const [before] = log
      log = paths.map(nodeOf)
      if (log[0] === undefined || log[0] === before) return
      const owner = JSON.stringify({ file: String(opened), log: logIdentity(file) })
      try {
        writeFileSync(`${file}${OWNER}`, owner, { mode: 0o600 })
      } catch {
        // A full disk can still be read. Without the note, the log counts as that of the file.
      }
    },
    isReplaced: async () => {
      const deadline = systemClock.monotonic() + MAX_WAIT_MILLISECONDS
      for (let before = stateOf(file); ; ) {
        const node = nodeOf(file)
        if (node !== undefined && node === opened) return false
        await systemClock.wait(UNCHANGED_MILLISECONDS)
        const now = stateOf(file)
        if (now !== undefined && now === before) break
        before = now
        if (systemClock.monotonic() > deadline) throw new Error(`${file}: the file is missing, or being written`)
      }
      opened = nodeOf(file)
      return true
    },
    removeLeftovers: () => {
      for (const [at, path] of paths.entries()) {
        if (log[at] !== undefined && nodeOf(path) === log[at]) rmSync(path, { force: true })
      }
      log = []
    },
  }
}

const nodeOf = (path: string): bigint | undefined => statSync(path, { bigint: true, throwIfNoEntry: false })?.ino

/**
 * Names the write-ahead log, so that a later log with its inode number is another one: SQLite removes the log when it closes a database.
 * The database itself is named by its inode alone, because some systems have no time of birth and give the last change instead; then
 * no log counts as that of another file. Undefined if there is no log.
 */
function logIdentity(file: string): string | undefined {
  const found = statSync(`${file}-wal`, { bigint: true, throwIfNoEntry: false })
  return found && `${found.ino} ${found.birthtimeNs}`
}

/** Undefined if there is no file. */
function stateOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found && `${found.ino} ${found.size} ${found.mtimeNs}`
}
