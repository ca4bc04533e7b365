/**
 * Records the store of a region as the present version writes it, for the tests of those that come later:
 *
 *     node --conditions=twinpool-source tests/upgrade/record.ts
 *
 * writes tests/upgrade/schema-<version>/: the tables of each engine, the rows of both, and what a region needs to open them.
 * To be run once per step of the schema, before the next one is written; what is recorded is never changed.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import { steps } from '@twinpool/server/internal/store/migrations'
import { createClient, createPool, createUser, PASSWORD } from '@twinpool/testing/pools'
import { serveRegion } from '@twinpool/testing/served-region'
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'

const version = steps.length
const target = join(import.meta.dirname, `schema-${version}`)
const directory = mkdtempSync(join(tmpdir(), 'twinpool-record-'))
const file = join(directory, 'region.db')
const masterKey = Buffer.alloc(32, `schema ${version}`).toString('base64')

const region = await serveRegion({
  config: { store: { engine: 'sqlite', file }, keys: { provider: 'local', masterKey } },
})
const pool = await createPool(region)
const client = await createClient(region, pool)
await createUser(region, pool, { username: 'ada', attributes: [{ Name: 'email', Value: 'ada@example.com' }] })
await region.stop()

const db = new DatabaseSync(file)
const tables = db
  .prepare(`select name, sql from sqlite_master where sql is not null and name not like 'sqlite_%' order by rowid`)
  .all() as { name: string; sql: string }[]
const literal = (value: SQLOutputValue): string =>
  typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value)
const rows = tables
  .filter(({ sql }) => /^create table/i.test(sql))
  .flatMap(({ name }) =>
    (db.prepare(`select * from "${name}"`).all() as Record<string, SQLOutputValue>[]).map(
      (row) =>
        `insert into ${name} (${Object.keys(row).join(', ')}) values (${Object.values(row).map(literal).join(', ')});`,
    ),
  )
db.close()

const statements: string[] = []
const compiler = new Kysely<unknown>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (inner) => new PostgresIntrospector(inner),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
  log: ({ query }) => void statements.push(`${query.sql};`),
})
for (const step of steps) await step(compiler, 'postgres')
statements.push('create table if not exists schema_version (version bigint not null);')

mkdirSync(target, { recursive: true })
writeFileSync(join(target, 'sqlite.sql'), `${tables.map(({ sql }) => `${sql};`).join('\n')}\n`)
writeFileSync(join(target, 'postgres.sql'), `${statements.join('\n')}\n`)
writeFileSync(join(target, 'rows.sql'), `${rows.join('\n')}\n`)
writeFileSync(
  join(target, 'region.json'),
  `${JSON.stringify({ masterKey, pool, client: client.id, username: 'ada', password: PASSWORD }, undefined, 2)}\n`,
)
rmSync(directory, { recursive: true, force: true })
