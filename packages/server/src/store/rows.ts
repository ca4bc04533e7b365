import { type RawBuilder, sql } from 'kysely'
import type { Connection, Engine } from './database.ts'
import { type IndexOf, type Kind, kinds, ONLY, tableOf } from './kinds.ts'

/** Version of a row: the epoch of its pool at the write, and the number of the change in the log of the region that wrote it. */
export interface Stamp {
  epoch: number
  seq: number
}

/** `fields` are the index columns. */
export interface Row<K extends Kind = Kind> {
  pool: string
  key: string
  body: string
  fields: Partial<Record<IndexOf<K>, string | null>>
  stamp: Stamp
}

/** Listed by name: a prepared statement must not change when a newer build adds a column. */
const columnsOf = (kind: Kind): RawBuilder<unknown> =>
  sql.join(
    ['pool', 'key', 'body', 'epoch', 'seq', ...kinds[kind].index.map((name) => `i_${name}`)].map((name) =>
      sql.ref(name),
    ),
  )

type Raw = { pool: string; key: string; body: string; epoch: number; seq: number } & Record<string, string | null>

/** Finds a row by its key. */
export async function findRow<K extends Kind>(
  db: Connection,
  kind: K,
  address: { pool: string; key: string },
): Promise<Row<K> | undefined> {
  const { rows } = await findQuery(kind, address).execute(db)
  return rows[0] && toRow(kind, rows[0])
}

/** Finds a row by its key, and the topology of its pool, in one query. */
export async function findRowAndTopology<K extends Kind>(
  db: Connection,
  kind: K,
  { pool, key }: { pool: string; key: string },
): Promise<{ row: Row<K> | undefined; topology: string | undefined }> {
  const { rows } = await sql<(Raw | Record<keyof Raw, null>) & { topology: string | null }>`
    select found.*, (select body from ${sql.table(tableOf('topology'))} where pool = ${pool} and key = ${ONLY}) as topology
    from (select 1 as one) as always
    left join (select ${columnsOf(kind)} from ${sql.table(tableOf(kind))} where pool = ${pool} and key = ${key}) as found
    on true`.execute(db)
  const [raw] = rows
  return {
    row: raw && raw.pool !== null ? toRow(kind, raw as Raw) : undefined,
    topology: raw?.topology ?? undefined,
  }
}

const findQuery = (kind: Kind, { pool, key }: { pool: string; key: string }): RawBuilder<Raw> =>
  sql`select ${columnsOf(kind)} from ${sql.table(tableOf(kind))} where pool = ${pool} and key = ${key}`

export interface PageQuery<K extends Kind> {
  pool: string
  /** Only rows whose index column has this value. */
  where?: Partial<Record<IndexOf<K>, string>>
  /** Only rows whose key starts with this. */
  prefix?: string
  /** Only rows whose key comes after this one. */
  after?: string | undefined
  /** Only rows whose key does not come after this one. */
  until?: string | undefined
  limit: number
}

/** Lists rows of one kind in the order of their keys (bytewise, the same on both engines). */
export async function listRows<K extends Kind>(db: Connection, kind: K, query: PageQuery<K>): Promise<Row<K>[]> {
  const { rows } = await listQuery(kind, query).execute(db)
  return rows.map((raw) => toRow(kind, raw))
}

function conditionsOf<K extends Kind>(query: Omit<PageQuery<K>, 'limit'>): RawBuilder<unknown> {
  const conditions: RawBuilder<unknown>[] = [sql`pool = ${query.pool}`]
  for (const [name, value] of Object.entries(query.where ?? {})) {
    conditions.push(sql`${sql.ref(`i_${name}`)} = ${value}`)
  }
  if (query.prefix) {
    conditions.push(sql`key >= ${query.prefix} and key < ${query.prefix + LAST}`)
  }
  if (query.after !== undefined) conditions.push(sql`key > ${query.after}`)
  if (query.until !== undefined) conditions.push(sql`key <= ${query.until}`)
  return sql.join(conditions, sql` and `)
}

// SQLite plans the statement again for every value that is bound to a bare `limit ?`.
const listQuery = <K extends Kind>(kind: K, query: PageQuery<K>): RawBuilder<Raw> => sql`
  select ${columnsOf(kind)} from ${sql.table(tableOf(kind))} where ${conditionsOf(query)}
  order by key limit ${query.limit} + 0`

/** SQLite reads a body to measure it: rows that do not fit should not be measured. */
const MEASURED_FIRST = 64

/**
 * Like listRows, with as many rows as fit in about `bytes`, at least one. `more`: whether the limits may have left out rows. The sizes
 * are read first, so that no more bodies are held in memory than fit.
 */
export async function listRowsWithin<K extends Kind>(
  db: Connection,
  kind: K,
  { bytes, limit, ...range }: Omit<PageQuery<K>, 'where' | 'prefix'> & { bytes: number },
): Promise<{ rows: Row<K>[]; more: boolean }> {
  const measure = async (scanned: number): Promise<{ found: number; fitting: number }> => {
    const { rows } = await sql<{ found: number; fitting: number }>`
      select count(*) as found, count(*) filter (where number = 1 or before < ${bytes}) as fitting from (
        select row_number() over (order by key) as number,
          sum(size) over (order by key rows unbounded preceding) - size as before
        from (select key, octet_length(body) as size from ${sql.table(tableOf(kind))} where ${conditionsOf(range)}
          order by key limit ${scanned} + 0) as sizes) as running`.execute(db)
    return rows[0] as { found: number; fitting: number }
  }
  for (;;) {
    let scanned = Math.min(limit, MEASURED_FIRST)
    let { found, fitting } = await measure(scanned)
    if (fitting === scanned && scanned < limit) {
      scanned = limit
      ;({ found, fitting } = await measure(scanned))
    }
    // Rows may be added and removed between the two statements. The caller takes a page without `more` for the complete rest of the
    // range, so such a page must not be cut at the number of rows that were measured, and no row at all is not the rest.
    const isRest = fitting === found && found < scanned
    const rows = await listRows(db, kind, { ...range, limit: isRest ? limit : fitting } as PageQuery<K>)
    if (isRest) return { rows, more: rows.length === limit }
    if (rows.length > 0) return { rows, more: true }
  }
}

/** Reads outside a transaction. */
export interface RowReader {
  find<K extends Kind>(kind: K, address: { pool: string; key: string }): Promise<Row<K> | undefined>
  list<K extends Kind>(kind: K, query: PageQuery<K>): Promise<Row<K>[]>
  /** Reads the bodies of rows of several kinds in one query, in the order of `wanted`; undefined where a row is missing. */
  bodies(pool: string, wanted: readonly { kind: Kind; key: string }[]): Promise<(string | undefined)[]>
  findFirst<K extends Kind>(kind: K, query: FirstQuery<K>): Promise<Row<K> | undefined>
}

/**
 * One way to find a row: by an index column; through a row of another kind, whose column has the key; or by its key. `orNext` and `near`
 * find the next row in the order of the keys if there is none, or after the last one the first: the work is the same.
 */
export type Way<K extends Kind> =
  | { column: IndexOf<K>; value: string }
  | { through: Kind; key: string; column: string; orNext?: true }
  | { near: string }

export interface FirstQuery<K extends Kind> {
  pool: string
  ways: readonly Way<K>[]
}

/**
 * Like findRow and listRows, for reads outside a transaction. Caches the SQL text per form of the query: compiling it would be
 * most of the work of a read.
 */
export function createRowReader({ reader, query }: Pick<Engine, 'reader' | 'query'>): RowReader {
  const finds = new Map<Kind, string>()
  const lists = new Map<string, string>()
  const several = new Map<string, string>()
  const firsts = new Map<string, string>()
  return {
    find: async (kind, address) => {
      let text = finds.get(kind)
      if (text === undefined) {
        text = findQuery(kind, address).compile(reader).sql
        finds.set(kind, text)
      }
      const [raw] = await query<Raw>(text, [address.pool, address.key])
      return raw && toRow(kind, raw)
    },
    list: async (kind, page) => {
      const form = formOf(kind, page)
      let text = lists.get(form)
      if (text === undefined) {
        text = listQuery(kind, page).compile(reader).sql
        lists.set(form, text)
      }
      const rows = await query<Raw>(text, parametersOf(page))
      return rows.map((raw) => toRow(kind, raw))
    },
    bodies: async (pool, wanted) => {
      let form = ''
      const parameters: string[] = []
      const found: (string | undefined)[] = []
      for (const { kind, key } of wanted) {
        form += `${kind},`
        parameters.push(pool, key)
        found.push(undefined)
      }
      let text = several.get(form)
      if (text === undefined) {
        text = bodiesQuery(pool, wanted).compile(reader).sql
        several.set(form, text)
      }
      for (const { at, body } of await query<{ at: number; body: string }>(text, parameters)) found[at] = body
      return found
    },
    findFirst: async (kind, wanted) => {
      const form = formOfWays(kind, wanted.ways)
      let text = firsts.get(form)
      if (text === undefined) {
        text = firstQuery(kind, wanted).compile(reader).sql
        firsts.set(form, text)
      }
      const [raw] = await query<Raw>(text, parametersOfWays(wanted))
      return raw && toRow(kind, raw)
    },
  }
}

const bodiesQuery = (pool: string, wanted: readonly { kind: Kind; key: string }[]): RawBuilder<unknown> =>
  sql.join(
    wanted.map(
      ({ kind, key }, at) =>
        sql`select ${sql.lit(at)} as at, body from ${sql.table(tableOf(kind))} where pool = ${pool} and key = ${key}`,
    ),
    sql` union all `,
  )

/** The row that the first successful way finds; later ways are not tried. */
export async function findFirstRow<K extends Kind>(
  db: Connection,
  kind: K,
  query: FirstQuery<K>,
): Promise<Row<K> | undefined> {
  const { rows } = await firstQuery(kind, query).execute(db)
  return rows[0] && toRow(kind, rows[0])
}

function firstQuery<K extends Kind>(kind: K, { pool, ways }: FirstQuery<K>): RawBuilder<Raw> {
  const table = sql.table(tableOf(kind))
  const keys = ways.flatMap((way) => {
    if ('near' in way) {
      return [
        sql`(select min(key) from ${table} where pool = ${pool} and key >= ${way.near})`,
        sql`(select min(key) from ${table} where pool = ${pool})`,
      ]
    }
    if ('value' in way) {
      return sql`(select min(key) from ${table} where pool = ${pool} and ${sql.ref(`i_${way.column}`)} = ${way.value})`
    }
    const through = sql.table(tableOf(way.through))
    const column = sql.ref(`i_${way.column}`)
    if (!way.orNext) return sql`(select ${column} from ${through} where pool = ${pool} and key = ${way.key})`
    return [
      sql`(select ${column} from ${through} where pool = ${pool} and key >= ${way.key} order by key limit 1)`,
      sql`(select ${column} from ${through} where pool = ${pool} order by key limit 1)`,
    ]
  })
  return sql`
    select ${columnsOf(kind)} from ${table} where pool = ${pool} and key = coalesce(${sql.join(keys)}, null)`
}

const formOfWays = (kind: Kind, ways: readonly Way<Kind>[]): string =>
  `${kind},${ways.map((way) => ('near' in way ? '~' : 'value' in way ? way.column : `${way.through}.${way.column}${way.orNext ? '~' : ''}`)).join()}`

/** In the order of the placeholders in firstQuery. */
function parametersOfWays({ pool, ways }: FirstQuery<Kind>): string[] {
  const parameters = [pool]
  for (const way of ways) {
    parameters.push(pool, 'near' in way ? way.near : 'value' in way ? way.value : way.key)
    if ('near' in way || ('orNext' in way && way.orNext)) parameters.push(pool)
  }
  return parameters
}

const formOf = (kind: Kind, { where = {}, prefix, after, until }: PageQuery<Kind>): string =>
  [
    kind,
    ...Object.keys(where),
    prefix ? '^' : '',
    after === undefined ? '' : '>',
    until === undefined ? '' : '<=',
  ].join()

/** In the order of the placeholders in listQuery. */
function parametersOf<K extends Kind>({ pool, where, prefix, after, until, limit }: PageQuery<K>): (string | number)[] {
  const parameters: (string | number)[] = [pool, ...(Object.values(where ?? {}) as string[])]
  if (prefix) parameters.push(prefix, prefix + LAST)
  if (after !== undefined) parameters.push(after)
  if (until !== undefined) parameters.push(until)
  parameters.push(limit)
  return parameters
}

/** Sorts after every character that a key can have. */
const LAST = String.fromCodePoint(0x10ffff)

/** Finds the rows with this key in all pools, for the few kinds with `byKey`. */
export async function findRowsByKey<K extends Kind>(db: Connection, kind: K, key: string): Promise<Row<K>[]> {
  const { rows } = await sql<Raw>`
    select ${columnsOf(kind)} from ${sql.table(tableOf(kind))} where key = ${key} order by pool`.execute(db)
  return rows.map((raw) => toRow(kind, raw))
}

/** Lists rows of one kind in all pools in the order (pool, key), after an address. */
export async function listRowsOfAllPools<K extends Kind>(
  db: Connection,
  kind: K,
  { after, limit }: { after?: { pool: string; key: string } | undefined; limit: number },
): Promise<Row<K>[]> {
  const condition = after ? sql`(pool, key) > (${after.pool}, ${after.key})` : sql`1 = 1`
  const { rows } = await sql<Raw>`
    select ${columnsOf(kind)} from ${sql.table(tableOf(kind))} where ${condition} order by pool, key limit ${limit}`.execute(
    db,
  )
  return rows.map((raw) => toRow(kind, raw))
}

/** Counts the rows of a kind in a pool. */
export async function countRows<K extends Kind>(
  db: Connection,
  kind: K,
  { pool, where = {} }: { pool: string; where?: Partial<Record<IndexOf<K>, string>> },
): Promise<number> {
  const conditions: RawBuilder<unknown>[] = [sql`pool = ${pool}`]
  for (const [name, value] of Object.entries(where)) conditions.push(sql`${sql.ref(`i_${name}`)} = ${value}`)
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from ${sql.table(tableOf(kind))} where ${sql.join(conditions, sql` and `)}`.execute(db)
  return Number(rows[0]?.count ?? 0)
}

/** Counts the rows of a kind in all pools. */
export async function countRowsOfAllPools(db: Connection, kind: Kind): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from ${sql.table(tableOf(kind))}`.execute(db)
  return Number(rows[0]?.count ?? 0)
}

/** Counts rows from the first key up to a limit; also returns the last counted key. */
export async function countFirstRows(
  db: Connection,
  kind: Kind,
  { pool, limit }: { pool: string; limit: number },
): Promise<{ count: number; last: string | undefined }> {
  const { rows } = await sql<{ count: number; last: string | null }>`
    select count(*) as count, max(key) as last from
      (select key from ${sql.table(tableOf(kind))} where pool = ${pool} order by key limit ${limit}) as first`.execute(
    db,
  )
  return { count: Number(rows[0]?.count ?? 0), last: rows[0]?.last ?? undefined }
}

/** Lists rows of one kind whose pool has no row of another kind (`lacking`). */
export async function listRowsWithout<K extends Kind>(
  db: Connection,
  kind: K,
  { lacking, limit }: { lacking: Kind; limit: number },
): Promise<Row<K>[]> {
  const other = sql.table(tableOf(lacking))
  const { rows } = await sql<Raw>`
    select ${columnsOf(kind)} from ${sql.table(tableOf(kind))} as present
    where not exists (select 1 from ${other} as other where other.pool = present.pool)
    order by pool, key limit ${limit}`.execute(db)
  return rows.map((raw) => toRow(kind, raw))
}

function toRow<K extends Kind>(kind: K, raw: Raw): Row<K> {
  const fields: Partial<Record<string, string | null>> = {}
  for (const name of kinds[kind].index) fields[name] = raw[`i_${name}`] ?? null
  return {
    pool: raw.pool,
    key: raw.key,
    body: raw.body,
    fields: fields as Row<K>['fields'],
    stamp: { epoch: raw.epoch, seq: raw.seq },
  }
}
