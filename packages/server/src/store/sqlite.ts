import { chmodSync, closeSync, existsSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { Kysely, type SqliteDatabase, SqliteDialect, sql } from 'kysely'
import type { Engine, Tables } from './database.ts'

/**
 * The embedded engine: one file per region, write-ahead log, and `synchronous=FULL`, so that a transaction is on the disk
 * when its promise resolves. Writes go through one connection and one at a time; reads through another, so that they see
 * only what has been committed. One process per file.
 */
export function openSqlite(file: string): Engine {
  if (!existsSync(file)) {
    closeSync(openSync(file, 'a', 0o600))
    chmodSync(file, 0o600)
  }
  const writer = connect(file, 'begin immediate')
  const reader = connect(file, 'begin')
  return {
    name: 'sqlite',
    reader: reader.db,
    transaction: (work) => writer.db.transaction().execute(work),
    lock: async () => {},
    transactionNumber: async (tx) => {
      const { rows } = await sql<{ seq: number }>`select seq from sqlite_sequence where name = 'changes'`.execute(tx)
      return (rows[0]?.seq ?? 0) + 1
    },
    horizon: async () => Number.MAX_SAFE_INTEGER,
    announce: async () => {},
    listen: async () => {},
    lead: async () => ({ lost: new AbortController().signal, release: async () => {} }),
    close: async () => {
      await reader.db.destroy()
      await writer.db.destroy()
    },
  }
}

function connect(file: string, begin: string): { db: Kysely<Tables> } {
  const raw = new DatabaseSync(file, { timeout: 5_000 })
  raw.exec('pragma journal_mode = wal')
  raw.exec('pragma synchronous = full')
  raw.exec('pragma foreign_keys = off')
  raw.exec('pragma temp_store = memory')
  return { db: new Kysely<Tables>({ dialect: new SqliteDialect({ database: adapt(raw, begin) }) }) }
}

/** Gives node:sqlite the form that Kysely's dialect asks for, and keeps statements prepared. */
function adapt(raw: DatabaseSync, begin: string): SqliteDatabase {
  const prepared = new Map<string, StatementSync>()
  const prepare = (text: string): StatementSync => {
    let statement = prepared.get(text)
    if (!statement) {
      statement = raw.prepare(text)
      if (prepared.size < 500) prepared.set(text, statement)
    }
    return statement
  }
  return {
    close: () => raw.close(),
    prepare: (text) => {
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
