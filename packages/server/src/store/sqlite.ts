import { accessSync, chmodSync, closeSync, constants, existsSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { Kysely, type Transaction as KyselyTransaction, type SqliteDatabase, SqliteDialect, sql } from 'kysely'
import { type Engine, gatherSchema, SETTLE, type Tables, type TransactionOptions, UnexpectedError } from './database.ts'

/**
 * The embedded engine: one file per region, write-ahead log, and `synchronous=FULL`, so that a transaction is on the disk
 * when its promise resolves (a relaxed one: when the next that is not relaxed is). Writes go through one connection and one at a time; reads through another, so that they see
 * only what has been committed. A third one is for single statements, which need not wait for a transaction that reads. One process per file.
 */
export function openSqlite(file: string): Engine {
  if (!existsSync(file)) {
    closeSync(openSync(file, 'a', 0o600))
    chmodSync(file, 0o600)
  }
  // SQLite says only that it is unable to open what it may not write.
  accessSync(file, constants.R_OK | constants.W_OK)
  const writer = connect(file, 'begin immediate')
  const reader = connect(file, 'begin')
  const single = open(file)
  const prepared = keepPrepared(single)
  let waits: Wait = 'full'
  /** Relaxed transactions that have ended, and how many of them are known to be on the disk. */
  const relaxed = { ended: 0, durable: 0 }
  const transaction = <T>(
    work: (tx: KyselyTransaction<Tables>) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T> =>
    writer.db.connection().execute(async (connection) => {
      const wanted = options?.relaxed ? 'normal' : 'full'
      if (waits !== wanted) waitFor(writer.raw, wanted)
      waits = wanted
      const result = await connection.transaction().execute(work)
      if (options?.relaxed) relaxed.ended += 1
      return result
    })
  return {
    name: 'sqlite',
    chains: false,
    reader: reader.db,
    logReader: reader.db,
    query: async <R>(text: string, parameters: readonly SQLInputValue[]) => prepared(text).all(...parameters) as R[],
    transaction,
    // The write-ahead log is flushed as a whole, but only by a transaction that adds to it.
    settle: async () => {
      const { ended } = relaxed
      if (relaxed.durable >= ended) return
      await transaction((tx) => SETTLE.execute(tx))
      relaxed.durable = Math.max(relaxed.durable, ended)
    },
    unhurried: transaction,
    describe: async () => {
      const { rows } = await sql<{ type: 'table' | 'index'; name: string; column: string | null }>`
        select found.type as type, found.name as name, columns.name as "column" from sqlite_master as found
        left join pragma_table_info(found.name) as columns on found.type = 'table'
        where found.type in ('table', 'index')`.execute(reader.db)
      return gatherSchema(rows)
    },
    // One process per file: nobody else waits.
    addColumn: async ({ table, name, type }) => {
      await transaction((tx) => sql`alter table ${sql.table(table)} add column ${sql.ref(name)} ${type}`.execute(tx))
    },
    addIndex: async ({ statement }) => {
      await transaction((tx) => statement.execute(tx))
    },
    // The statistics are given: see migrations.ts.
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
    horizonHere: sql.lit(Number.MAX_SAFE_INTEGER),
    announce: async () => {},
    listen: async () => {},
    lead: async () => ({ lost: new AbortController().signal, release: async () => {} }),
    hasOlderProcesses: async () => false,
    close: async () => {
      if (single.isOpen) single.close()
      await reader.db.destroy()
      await writer.db.destroy()
    },
  }
}

/**
 * What a connection may keep in memory, KiB. SQLite's default of 2,000 is less than the pages that one transaction of a copy changes (what
 * does not fit is written twice), and less than the upper levels of the indexes that calls look rows up by.
 */
const CACHE_KIBIBYTES = 16_384

type Wait = 'full' | 'normal'
/**
 * Pages that the write-ahead log may hold before it is carried over into the file, which a transaction waits for. A copy changes the same
 * pages of the indexes again and again: the seldomer they are carried over, the less is written.
 */
const LOG_PAGES: Record<Wait, number> = { full: 1_000, normal: 16_000 }

function waitFor(raw: DatabaseSync, wait: Wait): void {
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
  waitFor(raw, 'full')
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

const NOTHING = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [].values(),
}

/** Gives node:sqlite the form that Kysely's dialect asks for. */
function adapt(raw: DatabaseSync, begin: string): SqliteDatabase {
  const prepare = keepPrepared(raw)
  return {
    close: () => raw.close(),
    prepare: (text) => {
      // A full disk or a damaged file has ended the transaction already; a rollback would only hide what was wrong.
      if (text === 'rollback' && !raw.isTransaction) return NOTHING
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
