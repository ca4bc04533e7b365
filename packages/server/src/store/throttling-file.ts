import { chmodSync, closeSync, openSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

/** An entry of the throttling state that survives a restart. `expires` is ms since the epoch. */
export interface StoredEntry {
  name: string
  kind: string
  value: unknown
  expires: number
}

/** Throttling state in a file of its own beside the store of a SQLite region. */
export interface ThrottlingFile {
  /** The entries that have not expired. */
  load(now: number): StoredEntry[]
  put(entry: StoredEntry): void
  remove(names: readonly string[]): void
  close(): void
}

/**
 * Opens the file. A write is in the file when the function returns, so it survives the end of the process, but it does not wait for the
 * disk (`synchronous=NORMAL`), so a crash of the machine may undo the last ones. Memory decides: a failed write, on a full disk for
 * instance, is ignored, because sign-ins must go on. A damaged file is replaced.
 */
export function openThrottlingFile(file: string): ThrottlingFile {
  let db = open(file)
  const attempt = (work: () => void): void => {
    try {
      work()
    } catch {
      if (db.isTransaction) db.exec('rollback')
    }
  }
  const prepare = (opened: DatabaseSync) => ({
    put: opened.prepare('insert or replace into throttling (name, kind, value, expires) values (?, ?, ?, ?)'),
    remove: opened.prepare('delete from throttling where name = ?'),
  })
  let statements = prepare(db)
  return {
    load: (now) => {
      attempt(() => db.prepare('delete from throttling where expires <= ?').run(now))
      const read = (): StoredEntry[] => {
        const rows = db.prepare('select name, kind, value, expires from throttling where expires > ?').all(now)
        return rows.map(({ value, ...row }) => ({ ...row, value: JSON.parse(String(value)) }) as StoredEntry)
      }
      try {
        return read()
      } catch {
        db.close()
        for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true })
        db = open(file)
        statements = prepare(db)
        return []
      }
    },
    put: ({ name, kind, value, expires }) =>
      attempt(() => statements.put.run(name, kind, JSON.stringify(value), expires)),
    remove: (names) =>
      attempt(() => {
        db.exec('begin')
        for (const name of names) statements.remove.run(name)
        db.exec('commit')
      }),
    close: () => {
      if (db.isOpen) db.close()
    },
  }
}

function open(file: string): DatabaseSync {
  closeSync(openSync(file, 'a', 0o600))
  chmodSync(file, 0o600)
  try {
    return connect(file)
  } catch {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true })
    return connect(file)
  }
}

function connect(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: 5_000 })
  db.exec('pragma journal_mode = wal')
  db.exec('pragma synchronous = normal')
  db.exec(`create table if not exists throttling (
    name text primary key, kind text not null, value text not null, expires integer not null) without rowid`)
  return db
}
