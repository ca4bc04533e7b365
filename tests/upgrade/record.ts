/**
 * Records the store of a region as the present version writes it, for the tests of later versions:
 *
 *     node --conditions=twinpool-source tests/upgrade/record.ts [schema-<name>]
 *
 * writes tests/upgrade/schema-<version>/: the tables of each engine, the rows of both, and the secrets that a region needs to
 * open them. Run it before the next schema step is written, and whenever kinds were added. Recordings are never changed.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import { indexesOf, makeAdditions } from '@twinpool/server/internal/store/additions'
import { firstKinds } from '@twinpool/server/internal/store/first-kinds'
import { tableOf } from '@twinpool/server/internal/store/kinds'
import { steps } from '@twinpool/server/internal/store/migrations'
import { createClient, createPool, createUser, PASSWORD } from '@twinpool/testing/pools'
import { serveRegion } from '@twinpool/testing/served-region'
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler, sql } from 'kysely'

const version = steps.length
const target = join(import.meta.dirname, process.argv[2] ?? `schema-${version}`)
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
// Additions, as a store that has only run the schema steps gains them on opening.
const columns = new Map<string, Set<string>>([
  ...['cursors', 'copies'].map((table): [string, Set<string>] => [table, new Set()]),
  ...Object.entries(firstKinds).map(([kind, { index }]): [string, Set<string>] => [
    tableOf(kind),
    new Set(index.map((name) => `i_${name}`)),
  ]),
])
const indexes = new Set(
  Object.entries(firstKinds).flatMap(([kind, row]) => indexesOf(tableOf(kind), row).map(({ name }) => name)),
)
await makeAdditions({
  name: 'postgres',
  describe: async () => ({ columns, indexes }),
  longTransaction: (work) => work(compiler as never),
  transaction: (work) => work(compiler as never),
  lock: async () => {},
  addColumn: async ({ table, name, type }) =>
    void (await sql`alter table ${sql.table(table)} add column ${sql.ref(name)} ${type}`.execute(compiler)),
  addIndex: async ({ statement }) => void (await statement.execute(compiler)),
})
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
