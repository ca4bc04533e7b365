import { rmSync, statSync } from 'node:fs'
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

const UNCHANGED_MILLISECONDS = 250
const MAX_WAIT_MILLISECONDS = 10_000

export function watchFile(file: string): WatchedFile {
  const paths = [`${file}-wal`, `${file}-shm`]
  let opened = nodeOf(file)
  let log: (bigint | undefined)[] = []

  return {
    isSame: () => nodeOf(file) === opened,
    noteLog: () => {
      log = paths.map(nodeOf)
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

/** Undefined if there is no file. */
function stateOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found && `${found.ino} ${found.size} ${found.mtimeNs}`
}
