import { type RawBuilder, sql } from 'kysely'
import type { Connection, Engine } from './database.ts'
import { kindNames, kinds, tableOf } from './kinds.ts'

/*
 * Schema additions beyond the steps of migrations.ts: tables, index columns and indexes of kinds, and columns of bookkeeping
 * tables. An older build lists its columns by name and does not notice an addition. So the schema version does not rise, other
 * processes of the region may be older, and an older build can open the store again.
 */

/** Columns added to bookkeeping tables after their release: null in rows that an older build has inserted. */
const LATER_COLUMNS: Readonly<Record<string, Readonly<Record<string, 'text' | 'bigint'>>>> = {
  cursors: { kinds: 'text', kinds_at: 'bigint', part: 'text' },
  copies: { kinds: 'text' },
}

interface Index {
  name: string
  table: string
  columns: readonly string[]
  /** Statistics for SQLite's planner; see describeToPlanner in migrations.ts. */
  statistics: string
}

interface Missing {
  tables: { name: string; columns: readonly string[] }[]
  columns: { table: string; name: string; type: 'text' | 'bigint' }[]
  indexes: Index[]
}

const textOf = (engine: Engine['name']): RawBuilder<unknown> =>
  engine === 'postgres' ? sql`text collate "C"` : sql`text`

/** The table of a kind, without its indexes. */
export const createTable = (
  engine: Engine['name'],
  { name, columns }: { name: string; columns: readonly string[] },
): RawBuilder<unknown> => {
  const text = textOf(engine)
  const more = columns.map((column) => sql`, ${sql.ref(column)} ${text}`)
  return sql`create table if not exists ${sql.table(name)} (
    pool ${text} not null, key ${text} not null, body text not null,
    epoch bigint not null, seq bigint not null ${sql.join(more, sql``)},
    primary key (pool, key)) ${engine === 'sqlite' ? sql`without rowid` : sql``}`
}

/** The indexes of a kind's table, besides its primary key. */
export const indexesOf = (
  table: string,
  { index, byKey }: { index: readonly string[]; byKey: boolean },
): readonly Index[] => [
  ...(byKey ? [{ name: `${table}_key`, table, columns: ['key'], statistics: '1000000 1' }] : []),
  ...index.map((name) => ({
    name: `${table}_${name}`,
    table,
    columns: ['pool', `i_${name}`, 'key'],
    statistics: '1000000 1000000 10 1',
  })),
]

export const createIndex = ({ name, table, columns }: Index): RawBuilder<unknown> =>
  sql`create index if not exists ${sql.ref(name)} on ${sql.table(table)} (${sql.join(columns.map((column) => sql.ref(column)))})`

/** Sets the statistics of a kind's table or index for SQLite's planner. */
export async function describeIndex(
  db: Connection,
  { table, name, statistics }: Pick<Index, 'table' | 'name' | 'statistics'>,
): Promise<void> {
  await sql`delete from sqlite_stat1 where tbl = ${table} and idx = ${name}`.execute(db)
  await sql`insert into sqlite_stat1 (tbl, idx, stat) values (${table}, ${name}, ${statistics})`.execute(db)
}

export const describeTable = (db: Connection, table: string): Promise<void> =>
  describeIndex(db, { table, name: table, statistics: '1000000 1000000 1' })

type Additive = Pick<
  Engine,
  'name' | 'describe' | 'longTransaction' | 'transaction' | 'lock' | 'addColumn' | 'addIndex'
>

/** Creates what the store lacks. Several processes may do so at once, while older processes use the store. */
export async function makeAdditions(engine: Additive): Promise<void> {
  const { tables, columns, indexes } = await findMissing(engine)
  if (tables.length > 0) {
    await engine.longTransaction(async (tx) => {
      await engine.lock(tx, ['schema'])
      for (const table of tables) await createTable(engine.name, table).execute(tx)
      const ofNewTables = indexes.filter(({ table }) => tables.some(({ name }) => name === table))
      for (const index of ofNewTables) await createIndex(index).execute(tx)
      if (engine.name !== 'sqlite') return
      for (const { name } of tables) await describeTable(tx, name)
      for (const index of ofNewTables) await describeIndex(tx, index)
      await sql`analyze sqlite_schema`.execute(tx)
    })
  }
  for (const { table, name, type } of columns) {
    await engine.addColumn({ table, name, type: type === 'text' ? textOf(engine.name) : sql.raw(type) })
  }
  for (const index of indexes) {
    if (tables.some(({ name }) => name === index.table)) continue
    await engine.addIndex({ name: index.name, statement: createIndex(index) })
    if (engine.name !== 'sqlite') continue
    await engine.transaction(async (tx) => {
      await describeIndex(tx, index)
      await sql`analyze sqlite_schema`.execute(tx)
    })
  }
}

async function findMissing(engine: Pick<Engine, 'describe'>): Promise<Missing> {
  const { columns, indexes } = await engine.describe()
  const missing: Missing = { tables: [], columns: [], indexes: [] }
  const checkColumns = (table: string, types: Readonly<Record<string, 'text' | 'bigint'>>): void => {
    for (const [name, type] of Object.entries(types)) {
      if (!columns.get(table)?.has(name)) missing.columns.push({ table, name, type })
    }
  }
  for (const kind of kindNames) {
    const name = tableOf(kind)
    const names = kinds[kind].index.map((column) => `i_${column}`)
    if (columns.has(name)) checkColumns(name, Object.fromEntries(names.map((column) => [column, 'text'])))
    else missing.tables.push({ name, columns: names })
    missing.indexes.push(...indexesOf(name, kinds[kind]).filter((index) => !indexes.has(index.name)))
  }
  for (const [table, types] of Object.entries(LATER_COLUMNS)) checkColumns(table, types)
  return missing
}
