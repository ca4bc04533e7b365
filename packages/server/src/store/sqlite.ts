import { accessSync, chmodSync, closeSync, constants, existsSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { Kysely, type Transaction as KyselyTransaction, type SqliteDatabase, SqliteDialect, sql } from 'kysely'
import { type Engine, FLUSH, gatherSchema, type Tables, type TransactionOptions, UnexpectedError } from './database.ts'
import { type FileLock, lockFile } from './file-lock.ts'

/**
 * The embedded engine: one file per region and one process per file (file-lock.ts), write-ahead log, and `synchronous=FULL`, so that a
 * transaction is on the disk when its promise resolves (a relaxed one: when the next durable one is). One connection for writes,
 * one write at a time; one for reads, so that they see only committed rows; one for single statements, which do not wait for a
 * reading transaction.
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
  const writer = connect(file, 'begin immediate')
  const reader = connect(file, 'begin')
  const single = open(file)
  const prepared = keepPrepared(single)
  let current: Wait = 'full'
  /** Numbers of relaxed transactions: ended, and known to be on the disk. */
  const relaxed = { ended: 0, durable: 0 }
  const transaction = <T>(
    work: (tx: KyselyTransaction<Tables>) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T> =>
    writer.db.connection().execute(async (connection) => {
      const wanted = options?.relaxed ? 'normal' : 'full'
      if (current !== wanted) setWait(writer.raw, wanted)
      current = wanted
      const result = await connection.transaction().execute(work)
      if (options?.relaxed) relaxed.ended += 1
      return result
    })
  return {
    name: 'sqlite',
    hasWritableCtes: false,
    reader: reader.db,
    logReader: reader.db,
    query: async <R>(text: string, parameters: readonly SQLInputValue[]) => prepared(text).all(...parameters) as R[],
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
    announce: async () => {},
    listen: async () => {},
    lead: async () => ({ lost: new AbortController().signal, release: async () => {} }),
    hasOlderProcesses: async () => false,
    close: async () => {
      if (single.isOpen) single.close()
      await reader.db.destroy()
      await writer.db.destroy()
      lock.release()
    },
  }
}

/**
 * Page cache of a connection. SQLite's default of 2,000 KiB is less than the pages that one transaction of a copy changes (pages
 * that do not fit are written twice), and less than the upper levels of the indexes for lookups by calls.
 */
const CACHE_KIBIBYTES = 16_384

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

function connect(file: string, begin: string): { raw: DatabaseSync; db: Kysely<Tables> } {
  const raw = open(file)
  return { raw, db: new Kysely<Tables>({ dialect: new SqliteDialect({ database: adapt(raw, begin) }) }) }
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
function adapt(raw: DatabaseSync, begin: string): SqliteDatabase {
  const prepare = keepPrepared(raw)
  return {
    close: () => raw.close(),
    prepare: (text) => {
      // A full disk or a damaged file has already ended the transaction; a rollback would fail and hide the cause.
      if (text === 'rollback' && !raw.isTransaction) return NO_STATEMENT
      const statement = prepare(text === 'begin' ? begin : text)
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...(parameters as SQLInputValue[])),
        run: (parameters) => statement.run(...(parameters as SQLInputValue[])),
        iterate: (parameters) => statement.iterate(...(parameters as SQLInputValue[])) as IterableIterator<unknown>,
      }
    },
  }
}
