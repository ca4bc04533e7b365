/** Databases of tests, on the PostgreSQL that TWINPOOL_TEST_POSTGRES names. */
import { randomUUID } from 'node:crypto'
import { openStore } from '@twinpool/server/internal/store/store'
import pg from 'pg'

/** A database on the PostgreSQL of the tests. */
export interface TestDatabase {
  name: string
  url: string
}

/**
 * Creates a database that has the present schema and no rows, where TWINPOOL_TEST_POSTGRES_MODEL names one to copy: a copy
 * of files costs a fifth of the schema's own statements. Without it the database is empty, and its store makes the schema.
 */
export async function createDatabase(name = newName()): Promise<TestDatabase> {
  const model = process.env.TWINPOOL_TEST_POSTGRES_MODEL
  await administer(`create database ${name}${model ? ` template ${model} strategy file_copy` : ''}`)
  return { name, url: urlOf(name) }
}

export async function dropDatabase({ name }: TestDatabase, on: { server?: string } = {}): Promise<void> {
  await administer(`drop database if exists ${name} with (force)`, on)
}

/** Creates the database that `createDatabase` copies. The schema is made as every region makes it. */
export async function createModelDatabase(server: string): Promise<TestDatabase> {
  const name = newName()
  await administer(`create database ${name}`, { server })
  const url = urlOf(name, server)
  const store = await openStore({ engine: 'postgres', url }, { clock: Date, region: 'us-west-2' })
  await store.close()
  return { name, url }
}

/** To prove the password costs each client 4,096 rounds of HMAC otherwise, and tests connect by the thousand. */
export async function easePassword(server: string): Promise<void> {
  const { username, password } = new URL(server)
  const words = `alter role ${pg.escapeIdentifier(username)} password ${pg.escapeLiteral(decodeURIComponent(password))}`
  await administer(['set scram_iterations = 1', words], { server })
}

/** Runs statements as the superuser, one after another. */
export async function administer(
  statements: string | readonly string[],
  { server = process.env.TWINPOOL_TEST_POSTGRES as string }: { server?: string } = {},
): Promise<void> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  try {
    for (const statement of [statements].flat()) await client.query(statement)
  } finally {
    await client.end()
  }
}

const newName = (): string => `twinpool_${randomUUID().replaceAll('-', '')}`

function urlOf(name: string, server = process.env.TWINPOOL_TEST_POSTGRES as string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}
