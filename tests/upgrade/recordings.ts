/** Stores of older versions, recorded by record.ts and restored here. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describeToPlanner } from '@twinpool/server/internal/store/migrations'
import { openSqlite } from '@twinpool/server/internal/store/sqlite'
import pg from 'pg'

export interface Recorded {
  masterKey: string
  pool: string
  client: string
  username: string
  password: string
}

export const recordings = readdirSync(import.meta.dirname).filter((name) => name.startsWith('schema-'))
const read = (recording: string, name: string): string =>
  readFileSync(join(import.meta.dirname, recording, name), 'utf8')

/** The secrets that a region needs to open the store. */
export const readRecorded = (recording: string): Recorded => JSON.parse(read(recording, 'region.json')) as Recorded

export type StoreOf = { engine: 'sqlite'; file: string } | { engine: 'postgres'; url: string }

/** Restores a store of an older version. */
export async function restore(
  recording: string,
  engine: StoreOf['engine'],
  undo: (() => Promise<void> | void)[],
): Promise<StoreOf> {
  if (engine === 'sqlite') {
    const directory = mkdtempSync(join(tmpdir(), 'twinpool-upgrade-'))
    undo.push(() => rmSync(directory, { recursive: true, force: true }))
    const file = join(directory, 'region.db')
    const db = new DatabaseSync(file)
    db.exec(`begin; ${read(recording, 'sqlite.sql')} ${read(recording, 'rows.sql')} commit`)
    db.close()
    // SQLite's own tables are not recorded.
    const opened = openSqlite(file)
    await opened.transaction(describeToPlanner)
    await opened.close()
    return { engine, file }
  }
  const server = process.env.TWINPOOL_TEST_POSTGRES as string
  const name = `twinpool_${randomUUID().replaceAll('-', '')}`
  const url = new URL(server)
  url.pathname = `/${name}`
  await ask(server, `create database ${name}`)
  undo.push(() => ask(server, `drop database if exists ${name} with (force)`))
  await ask(
    url.href,
    `${read(recording, 'postgres.sql')} ${read(recording, 'rows.sql')}
     select setval(pg_get_serial_sequence('changes', 'seq'), max(seq)) from changes`,
  )
  return { engine, url: url.href }
}

async function ask(url: string, statements: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statements)
  } finally {
    await client.end()
  }
}
