import { accessSync, chmodSync, closeSync, constants, existsSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { Kysely, type Transaction as KyselyTransaction, type SqliteDatabase, SqliteDialect, sql } from 'kysely'
import { systemClock } from '../clock.ts'
import {
  type DatabaseCheck,
  type Engine,
  FLUSH,
  gatherSchema,
  StoreFullError,
  type Tables,
  type TransactionOptions,
  UnexpectedError,
} from './database.ts'
import { type FileLock, lockFile } from './file-lock.ts'
import { removeForeignLog, watchFile } from './sqlite-file.ts'
import { openThrottlingFile, type ThrottlingFile } from './throttling-file.ts'

/**
 * The embedded engine: one file per region and one process per file (file-lock.ts), write-ahead log, and `synchronous=FULL`, so that a
 * transaction is on the disk when its promise resolves (a relaxed one: when the next durable one is). One connection for writes,
 * one write at a time; one for reads, so that they see only committed rows; one for single statements, which do not wait for a
 * reading transaction.
 *
 * If another file takes the place of the file, or another program writes to it (`sqlite3 region.db ".restore backup.db"`), the
 * connections are opened again, and the database is checked before the next transaction: see `guard`.
 */
export function openSqlite(file: string, { port }: { port?: number | undefined } = {}): Engine {
  if (!existsSync(file)) {
    closeSync(openSync(file, 'a', 0o600))
    chmodSync(file, 0o600)
  }
  // SQLite's own error, "unable to open", does not mention missing permissions.
  accessSync(file, constants.R_OK | constants.W_OK)
  const lock = lockFile(file, { port })
  try {
    return openLocked(file, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

function openLocked(file: string, lock: FileLock): Engine {
  removeForeignLog(file)
  const writer = connect(file, 'begin immediate')
  const reader = connect(file, 'begin')
  const single = connect(file, 'begin')
  const watched = watchFile(file)
  const throttlingFiles: ThrottlingFile[] = []
  let current: Wait = 'full'
  let closed = false
  let check: DatabaseCheck = async () => {}
  let interrupted = (): void => {}
  let lost = new AbortController()
  /** Numbers of relaxed transactions: ended, and known to be on the disk. */
  const relaxed = { ended: 0, durable: 0 }
  /** Why the database has to be checked before its next use. */
  let doubt: 'replaced' | 'written' | undefined
  /** The connections lead to a file that was replaced, or are closed. */
  let stale = false
  let settling: Promise<void> | undefined
  /** The value changes only when another connection than the writer commits, and no other one of this process writes. */
  const readVersion = (): number => writer.prepared('pragma data_version').get()?.data_version as number
  let version = readVersion()
  watched.noteLog()
  const isUntouched = (): boolean => doubt === undefined && watched.isSame() && readVersion() === version

  const run = <T>(
    work: (tx: KyselyTransaction<Tables>) => Promise<T>,
    { relaxed: isRelaxed = false, checking = false }: TransactionOptions & { checking?: boolean } = {},
  ): Promise<T> =>
    writer.db.connection().execute(async (connection) => {
      const wanted = isRelaxed ? 'normal' : 'full'
      if (current !== wanted) setWait(writer.raw, wanted)
      current = wanted
      const result = await connection
        .transaction()
        .execute(async (tx) => {
          if (!checking && !isUntouched()) throw new TouchedError()
          return work(tx)
        })
        .catch((error: unknown) => {
          throw (error as { errcode?: number }).errcode === FULL ? new StoreFullError(error as Error) : error
        })
      // The caller must not take a write for durable that went to a removed file.
      if (!watched.isSame()) throw new Error('the file of the store was replaced during the transaction')
      if (isRelaxed) relaxed.ended += 1
      return result
    })
  /** Opens the connections again if another file has taken the place of the file, and checks the database. */
  const settle = async (): Promise<void> => {
    if (await watched.isReplaced()) {
      stale = true
      doubt = 'replaced'
    } else if (isUntouched()) return
    doubt ??= 'written'
    await writer.db.connection().execute(() =>
      reader.db.connection().execute(async () => {
        if (stale) {
          for (const { raw } of [writer, reader, single]) if (raw.isOpen) raw.close()
          watched.removeLeftovers()
          for (const each of [writer, reader, single]) each.reopen()
          current = 'full'
          stale = false
        }
        version = readVersion()
        watched.noteLog()
      }),
    )
    const transact = <T>(work: (tx: KyselyTransaction<Tables>) => Promise<T>) => run(work, { checking: true })
    await check({ identity: undefined, replaced: doubt === 'replaced', transact })
    doubt = undefined
    lost.abort()
    lost = new AbortController()
    interrupted()
  }
  const settled = (): Promise<void> => {
    settling ??= settle().finally(() => {
      settling = undefined
    })
    return settling
  }
  const transaction = async <T>(
    work: (tx: KyselyTransaction<Tables>) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T> => {
    for (;;) {
      try {
        return await run(work, options)
      } catch (error) {
        if (!(error instanceof TouchedError)) throw error
        await settled()
      }
    }
  }
  const watch = async (): Promise<void> => {
    while (!closed) {
      try {
        if (isUntouched()) watched.noteLog()
        else await settled()
      } catch {
        // The next transaction reports the error.
      }
      await systemClock.wait(WATCH_MILLISECONDS)
    }
  }
  return {
    name: 'sqlite',
    hasWritableCtes: false,
    reader: reader.db,
    logReader: reader.db,
    query: async <R>(text: string, parameters: readonly SQLInputValue[]) =>
      single.prepared(text).all(...parameters) as R[],
    transaction,
    // A commit flushes the whole write-ahead log, but only if the transaction adds to it.
    flush: async () => {
      const { ended } = relaxed
      if (relaxed.durable >= ended) return
      await transaction((tx) => FLUSH.execute(tx))
      relaxed.durable = Math.max(relaxed.durable, ended)
    },
    longTransaction: transaction,
    describe: async () => {
      const { rows } = await sql<{ type: 'table' | 'index'; name: string; column: string | null }>`
        select found.type as type, found.name as name, columns.name as "column" from sqlite_master as found
        left join pragma_table_info(found.name) as columns on found.type = 'table'
        where found.type in ('table', 'index')`.execute(reader.db)
      return gatherSchema(rows)
    },
    // One process per file: no other user can be blocked.
    addColumn: async ({ table, name, type }) => {
      await transaction((tx) => sql`alter table ${sql.table(table)} add column ${sql.ref(name)} ${type}`.execute(tx))
    },
    addIndex: async ({ statement }) => {
      await transaction((tx) => statement.execute(tx))
    },
    // The statistics are constants: see migrations.ts.
    analyze: async () => {},
    lock: async () => {},
    expect: async (tx, condition) => {
      const { rows } = await sql<{ met: number }>`select ${condition} as met`.execute(tx)
      if (!rows[0]?.met) throw new UnexpectedError()
    },
    transactionNumber: async (tx) => {
      const { rows } = await sql<{ seq: number }>`select seq from sqlite_sequence where name = 'changes'`.execute(tx)
      return (rows[0]?.seq ?? 0) + 1
    },
    horizonSql: sql.lit(Number.MAX_SAFE_INTEGER),
    findHolder: async () => undefined,
    announce: async () => {},
    listen: async (_, onInterrupted) => {
      interrupted = onInterrupted
      void watch()
    },
    guard: async (newCheck) => {
      check = newCheck
      await check({ identity: undefined, replaced: false, transact: transaction })
    },
    lead: async () => ({ lost: lost.signal, release: async () => {} }),
    connectionUsage: () => undefined,
    hasOlderProcesses: async () => false,
    openThrottlingFile: () => {
      const opened = openThrottlingFile(`${file}.throttling`)
      throttlingFiles.push(opened)
      return opened
    },
    close: async () => {
      closed = true
      for (const opened of throttlingFiles) opened.close()
      if (single.raw.isOpen) single.raw.close()
      await reader.db.destroy()
      await writer.db.destroy()
      lock.release()
    },
  }
}

/** How often the file is compared with the open one while nothing is written. */
const WATCH_MILLISECONDS = 200

/** Another program has written to the file, or replaced it. The transaction has done nothing. */
class TouchedError extends Error {}

/**
 * Page cache of a connection. SQLite's default of 2,000 KiB is less than the pages that one transaction of a copy changes (pages
 * that do not fit are written twice), and less than the upper levels of the indexes for lookups by calls.
 */
const CACHE_KIBIBYTES = 16_384

/** SQLITE_FULL. https://www.sqlite.org/rescode.html */
const FULL = 13

/** https://www.sqlite.org/pragma.html#pragma_synchronous */
type Wait = 'full' | 'normal'
/**
 * Pages in the write-ahead log before a checkpoint, which a transaction waits for. A copy changes the same index pages again and
 * again: fewer checkpoints write less.
 */
const LOG_PAGES: Record<Wait, number> = { full: 1_000, normal: 16_000 }

function setWait(raw: DatabaseSync, wait: Wait): void {
  raw.exec(`pragma synchronous = ${wait}`)
  raw.exec(`pragma wal_autocheckpoint = ${LOG_PAGES[wait]}`)
}

interface SqliteConnection {
  readonly raw: DatabaseSync
  readonly prepared: (text: string) => StatementSync
  readonly db: Kysely<Tables>
  /** Replaces `raw`, which must be closed. */
  reopen(): void
}

function connect(file: string, begin: string): SqliteConnection {
  let raw = open(file)
  let prepared = keepPrepared(raw)
  const connection = {
    get raw() {
      return raw
    },
    get prepared() {
      return prepared
    },
    reopen: () => {
      raw = open(file)
      prepared = keepPrepared(raw)
    },
  }
  return Object.assign(connection, {
    db: new Kysely<Tables>({ dialect: new SqliteDialect({ database: adapt(connection, begin) }) }),
  })
}

function open(file: string): DatabaseSync {
  const raw = new DatabaseSync(file, { timeout: 5_000 })
  raw.exec('pragma journal_mode = wal')
  setWait(raw, 'full')
  raw.exec('pragma foreign_keys = off')
  raw.exec('pragma temp_store = memory')
  raw.exec(`pragma cache_size = -${CACHE_KIBIBYTES}`)
  return raw
}

function keepPrepared(raw: DatabaseSync): (text: string) => StatementSync {
  const prepared = new Map<string, StatementSync>()
  return (text) => {
    let statement = prepared.get(text)
    if (!statement) {
      statement = raw.prepare(text)
      if (prepared.size < 500) prepared.set(text, statement)
    }
    return statement
  }
}

const NO_STATEMENT = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [].values(),
}

/** Adapts node:sqlite to the interface of Kysely's dialect. */
function adapt(connection: Pick<SqliteConnection, 'raw' | 'prepared'>, begin: string): SqliteDatabase {
  return {
    close: () => connection.raw.close(),
    prepare: (text) => {
      // A full disk or a damaged file has already ended the transaction; a rollback would fail and hide the cause.
      if (text === 'rollback' && !connection.raw.isTransaction) return NO_STATEMENT
      const statement = connection.prepared(text === 'begin' ? begin : text)
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...(parameters as SQLInputValue[])),
        run: (parameters) => statement.run(...(parameters as SQLInputValue[])),
        iterate: (parameters) => statement.iterate(...(parameters as SQLInputValue[])) as IterableIterator<unknown>,
      }
    },
  }
}
