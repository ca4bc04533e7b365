import type { Clock } from '../clock.ts'
import type { Connection, Engine, Touched, TransactionOptions } from './database.ts'
import { type IndexOf, type Kind, kinds } from './kinds.ts'
import { migrate } from './migrations.ts'
import { openPostgres } from './postgres.ts'
import type { ConnectionSettings } from './postgres-connections.ts'
import { createProbe } from './probe.ts'
import { countRows, createRowReader, type PageQuery, type Row } from './rows.ts'
import { openSqlite } from './sqlite.ts'
import { type Address, openTransaction, type Transaction } from './write.ts'

/** What one region keeps. */
export interface Store {
  readonly engine: Engine
  readonly region: string
  /** For reading outside a transaction. */
  readonly db: Connection
  find<K extends Kind>(kind: K, address: Address): Promise<Row<K> | undefined>
  list<K extends Kind>(kind: K, query: PageQuery<K>): Promise<Row<K>[]>
  /** Finds rows of several kinds in one question, and of each no more than its body; undefined where there is none. */
  bodies(pool: string, wanted: readonly { kind: Kind; key: string }[]): Promise<(string | undefined)[]>
  count<K extends Kind>(kind: K, query: { pool: string; where?: Partial<Record<IndexOf<K>, string>> }): Promise<number>
  /** One transaction, durable when the promise resolves. The work may run more than once: it must have no other effect. */
  write<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** For replication: the same, with the list of what caches must forget at hand. */
  transaction<T>(
    work: (connection: Connection, touched: Touched[]) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>
  /** Hears of every durable change of the region, whichever of its processes made it; `undefined`: some may have been missed. */
  onChange(heard: (touched: readonly Touched[] | undefined) => void): () => void
  /** Rejects, with what is wrong, when the store cannot be read or written now. */
  check(): Promise<void>
  close(): Promise<void>
}

export type StoreConfig =
  | { engine: 'sqlite'; file: string }
  | ({ engine: 'postgres'; url: string } & ConnectionSettings)

/** Opens the store of a region and brings its schema to the present. */
export async function openStore(
  config: StoreConfig,
  { clock, region }: { clock: Pick<Clock, 'now'>; region: string },
): Promise<Store> {
  const engine = config.engine === 'sqlite' ? openSqlite(config.file) : openPostgres(config.url, config)
  const probe = createProbe(engine, clock)
  const listeners = new Set<(touched: readonly Touched[] | undefined) => void>()
  const tell = (touched: readonly Touched[] | undefined): void => {
    for (const listener of listeners) listener(touched)
  }

  const transaction: Store['transaction'] = async (work, options) => {
    let touched: Touched[] = []
    const ending = engine.transaction(async (connection) => {
      touched = []
      const value = await work(connection, touched)
      const cached = touched.filter(isCached)
      if (cached.length > 0) await engine.announce(connection, cached)
      return value
    }, options)
    ending.then(
      () => probe.ended('committed'),
      () => probe.ended('failed'),
    )
    const result = await ending
    if (touched.length > 0) tell(touched)
    return result
  }
  try {
    await migrate(engine)
    await engine.listen(tell)
  } catch (error) {
    await engine.close()
    throw error
  }

  const rows = createRowReader(engine)
  return {
    engine,
    region,
    db: engine.reader,
    find: rows.find,
    list: rows.list,
    bodies: rows.bodies,
    count: (kind, query) => countRows(engine.reader, kind, query),
    transaction,
    write: (work) =>
      transaction(async (connection, touched) =>
        work(await openTransaction({ engine, clock, region }, connection, touched)),
      ),
    onChange: (heard) => {
      listeners.add(heard)
      return () => listeners.delete(heard)
    },
    check: probe.check,
    close: () => engine.close(),
  }
}

const isCached = ({ kind }: Touched): boolean => kinds[kind as Kind].cached
