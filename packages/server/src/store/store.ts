import type { Clock } from '../clock.ts'
import type { Events } from '../events/events.ts'
import type { Connection, Engine, Touched, TransactionOptions } from './database.ts'
import { type IndexOf, type Kind, kinds } from './kinds.ts'
import { migrate } from './migrations.ts'
import { openPostgres } from './postgres.ts'
import type { ConnectionSettings } from './postgres-connections.ts'
import { createProbe } from './probe.ts'
import { countRows, createRowReader, type FirstQuery, type PageQuery, type Row } from './rows.ts'
import { openSqlite } from './sqlite.ts'
import { type Address, openTransaction, type Transaction } from './write.ts'

/** The stored data of one region. */
export interface Store {
  readonly engine: Engine
  readonly region: string
  /** Reads outside a transaction. */
  readonly db: Connection
  find<K extends Kind>(kind: K, address: Address): Promise<Row<K> | undefined>
  list<K extends Kind>(kind: K, query: PageQuery<K>): Promise<Row<K>[]>
  /** Reads the bodies of rows of several kinds in one query, in the order of `wanted`; undefined where a row is missing. */
  bodies(pool: string, wanted: readonly { kind: Kind; key: string }[]): Promise<(string | undefined)[]>
  /** Finds a row by the first way that succeeds, in one query. */
  findFirst<K extends Kind>(kind: K, query: FirstQuery<K>): Promise<Row<K> | undefined>
  count<K extends Kind>(kind: K, query: { pool: string; where?: Partial<Record<IndexOf<K>, string>> }): Promise<number>
  /** One transaction, durable when the promise resolves. `work` may run more than once, so it must have no other side effects. */
  write<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** For replication: like `write`, with the raw connection. `work` adds the rows that caches must drop to `touched`. */
  transaction<T>(
    work: (connection: Connection, touched: Touched[]) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>
  /** The listener is notified of durable changes by any process of the region; `undefined`: some notifications may be lost. */
  onChange(listener: (touched: readonly Touched[] | undefined) => void): () => void
  /**
   * The listener is notified when the connections to the database were lost or replaced, before the new ones are used: what was read
   * before may not be a part of the present database.
   */
  onInterrupted(listener: () => void): () => void
  /** Rejects with the reason when the store cannot be read or written at the moment. */
  check(): Promise<void>
  close(): Promise<void>
}

export type StoreConfig =
  | { engine: 'sqlite'; file: string }
  | ({ engine: 'postgres'; url: string } & ConnectionSettings)

/** Opens the store of a region and migrates its schema. `port`: shown to a second process on the same file. */
export async function openStore(
  config: StoreConfig,
  {
    clock,
    region,
    port,
    events,
  }: { clock: Pick<Clock, 'now'>; region: string; port?: number; events?: Pick<Events, 'noted'> | undefined },
): Promise<Store> {
  const opened = config.engine === 'sqlite' ? openSqlite(config.file, { port }) : openPostgres(config.url, config)
  const probe = createProbe(opened, { clock, events })
  const engine: Engine = {
    ...opened,
    transaction: async (work, options) => {
      try {
        return await opened.transaction(work, options)
      } catch (error) {
        probe.failed(error)
        throw error
      }
    },
  }
  const listeners = new Set<(touched: readonly Touched[] | undefined) => void>()
  const notify = (touched: readonly Touched[] | undefined): void => {
    for (const listener of listeners) listener(touched)
  }
  const interruptedListeners = new Set<() => void>()
  const interrupt = (): void => {
    notify(undefined)
    for (const listener of interruptedListeners) listener()
  }

  const transaction: Store['transaction'] = async (work, options) => {
    let touched: Touched[] = []
    const running = engine.transaction(async (connection) => {
      touched = []
      const value = await work(connection, touched)
      const cached = touched.filter(isCached)
      if (cached.length > 0) await engine.announce(connection, cached)
      return value
    }, options)
    running.then(
      () => probe.transactionEnded('committed'),
      () => probe.transactionEnded('failed'),
    )
    const result = await running
    if (touched.length > 0) notify(touched)
    return result
  }
  try {
    await migrate(engine)
    await engine.listen(notify, interrupt)
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
    findFirst: rows.findFirst,
    count: (kind, query) => countRows(engine.reader, kind, query),
    transaction,
    write: (work) =>
      transaction(async (connection, touched) =>
        work(await openTransaction({ engine, clock, region }, connection, touched)),
      ),
    onChange: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    onInterrupted: (listener) => {
      interruptedListeners.add(listener)
      return () => interruptedListeners.delete(listener)
    },
    check: probe.check,
    close: () => engine.close(),
  }
}

const isCached = ({ kind }: Touched): boolean => kinds[kind as Kind].cached
