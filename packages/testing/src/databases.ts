/** Databases for tests, on the PostgreSQL server at TWINPOOL_TEST_POSTGRES. */
import { randomUUID } from 'node:crypto'
import { openStore } from '@twinpool/server/internal/store/store'
import pg from 'pg'

/** A database on the PostgreSQL server of the tests. */
export interface TestDatabase {
  name: string
  url: string
}

/**
 * Creates a database. If TWINPOOL_TEST_POSTGRES_MODEL names a database with the current schema, copies it, which costs a fifth
 * of running the schema's statements. Otherwise the database is empty, and the store creates the schema.
 */
export async function createDatabase(name = newName()): Promise<TestDatabase> {
  const model = process.env.TWINPOOL_TEST_POSTGRES_MODEL
  await administer(`create database ${name}${model ? ` template ${model} strategy file_copy` : ''}`)
  return { name, url: urlOf(name) }
}

/** Creates a database with the content of another one, which nobody may be connected to. */
export async function copyDatabase(url: string): Promise<TestDatabase> {
  const name = newName()
  await administer(`create database ${name} template ${new URL(url).pathname.slice(1)}`)
  return { name, url: urlOf(name) }
}

export async function dropDatabase({ name }: TestDatabase, on: { server?: string } = {}): Promise<void> {
  await administer(`drop database if exists ${name} with (force)`, on)
}

/** Creates the database that `createDatabase` copies. Its schema is created in the same way as in a region. */
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
