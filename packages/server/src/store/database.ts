import { type Kysely, type Transaction as KyselyTransaction, type RawBuilder, sql } from 'kysely'
import type { ThrottlingFile } from './throttling-file.ts'

/** Tables are generic over kinds (see kinds.ts), so their columns have no types. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Tables = any

export type Connection = Kysely<Tables> | KyselyTransaction<Tables>

/** A changed row, as reported to caches; `undefined` instead of a list: drop everything. */
export interface Touched {
  kind: string
  pool: string
  key: string
}

/** What older builds cannot do: read sealed groups and memberships; open values under a newer data key. */
export type Ability = 'sealing' | 'rotation'

/** Only the differences between the two engines. All other SQL is written once, for both. */
export interface Engine {
  readonly name: 'sqlite' | 'postgres'
  /** Snapshot reads; never sees uncommitted writes. */
  readonly reader: Kysely<Tables>
  /** Like `reader`, for the change feed: never waits behind calls, however many there are. */
  readonly logReader: Kysely<Tables>
  /**
   * Runs a SELECT outside any transaction; sees committed rows. For the few frequent statements of calls: their text does not
   * change and stays prepared.
   */
  query<R>(text: string, parameters: readonly (string | number)[]): Promise<R[]>
  /** Runs the work in one transaction, durable by default; runs it again after a conflict or, where safe, a lost connection. */
  transaction<T>(work: (tx: KyselyTransaction<Tables>) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** Resolves once every earlier transaction, including relaxed ones, is durable. */
  flush(): Promise<void>
  /** Like `transaction`, without a statement timeout, for work on a whole table. Runs once. */
  longTransaction<T>(work: (tx: KyselyTransaction<Tables>) => Promise<T>): Promise<T>
  /** Updates the planner's statistics of a table after a bulk load. */
  analyze(table: string): Promise<void>
  /** The tables with their columns, and the valid indexes. */
  describe(): Promise<{ columns: ReadonlyMap<string, ReadonlySet<string>>; indexes: ReadonlySet<string> }>
  /** Adds a nullable column if it is missing. Does not block other users of the table. */
  addColumn(column: { table: string; name: string; type: RawBuilder<unknown> }): Promise<void>
  /** Creates an index (`create index if not exists`) on a table in use, without blocking writes to it. */
  addIndex(index: { name: string; statement: RawBuilder<unknown> }): Promise<void>
  /**
   * Takes exclusive locks on these names until the end of the transaction. Pipelined: the locks are held for the following
   * statements of `tx`, but a read on another connection may run before they are taken.
   */
  lock(tx: Connection, names: readonly string[]): Promise<void>
  /**
   * Rolls the transaction back with UnexpectedError unless the condition holds. Pipelined on PostgreSQL: the error surfaces at a
   * later statement or at the commit, and no round trip is needed to check the condition.
   */
  expect(tx: Connection, condition: RawBuilder<boolean>): Promise<void>
  /** The number of the transaction. Changes are read in the order of these numbers. */
  transactionNumber(tx: Connection): Promise<number>
  /** Transaction number as an SQL expression; saves a round trip. */
  readonly transactionNumberSql?: RawBuilder<number>
  /** Whether one statement may write several tables (`with … as (insert …)`); saves a round trip. */
  readonly hasWritableCtes: boolean
  /** SQL expression: all transactions with a lower number have ended, and the statement with this expression sees them. */
  readonly horizonSql: RawBuilder<number>
  /** Finds the transaction below which the log can be read: the oldest one that has written to any database of the server. */
  findHolder(): Promise<Holder | undefined>
  /** Notifies the other processes of the region of changed rows when the transaction commits. */
  announce(tx: Connection, touched: readonly Touched[]): Promise<void>
  /**
   * Subscribes to changes by other processes; `undefined`: notifications may be lost. `interrupted` is called after connections were
   * lost or replaced, before the new ones are used: it may be another database now, or an earlier state of it.
   */
  listen(listener: (touched: readonly Touched[] | undefined) => void, interrupted: () => void): Promise<void>
  /**
   * Sets the check of the database, and runs it. It runs again when a connection leads to a database with another identity, and
   * after connections were lost: no other statement of this process runs on the new ones until the check has passed.
   */
  guard(check: DatabaseCheck): Promise<void>
  /**
   * PostgreSQL: the time of the database server's clock, in milliseconds since the epoch, as last measured. It is the same for all
   * processes of a region, whose own clocks may differ. Undefined before the first connection. SQLite has one process.
   */
  serverTime?(): number | undefined
  /** The connections of calls to the database; undefined where there is no pool of them. */
  connectionUsage(): { used: number; limit: number; waiting: number } | undefined
  /** Waits for the replication lease: only its holder follows other regions. Rejects when the signal fires. */
  lead(signal: AbortSignal): Promise<Lease>
  /** Whether a process without this ability is connected to this database. Default: the first release. */
  hasOlderProcesses(ability?: Ability): Promise<boolean>
  /** SQLite: opens the file of the throttling state beside the store; `close` closes it. */
  openThrottlingFile?(): ThrottlingFile
  close(): Promise<void>
}

/**
 * Checks a database before its first use. `identity` distinguishes the databases that can have written one log: a server that was
 * promoted or restored has another one than its origin. Undefined if the engine or the server does not report one. `replaced`: it is
 * certainly another one than the one that was used before. `transact` runs a durable transaction on the database.
 */
export type DatabaseCheck = (database: {
  identity: string | undefined
  replaced: boolean
  transact<T>(work: (tx: Connection) => Promise<T>): Promise<T>
}) => Promise<void>

export interface TransactionOptions {
  /**
   * Commits without waiting for the disk. A crash of the database server (SQLite: of the machine) may undo this and later relaxed
   * transactions, until a durable transaction commits or `flush` resolves; on PostgreSQL for at most a second. Only for work that
   * can be repeated and does not write to the log: a change that a follower has read must not disappear.
   */
  relaxed?: boolean | undefined
  /**
   * Writes to unlogged tables only, so its commit never waits for a standby. It takes a connection like a read, and may take the
   * last one.
   */
  unlogged?: boolean | undefined
}

/** A running or prepared transaction of the database server. */
export interface Holder {
  database: string
  /** Of its connection; undefined for a prepared transaction. */
  pid: number | undefined
  /** Of a prepared transaction. */
  prepared?: string | undefined
  /** How long the transaction has been running; undefined if this role may not see that. */
  transactionSeconds: number | undefined
}

export interface Lease {
  /** Fires when the lease may be lost: another process may hold it. */
  readonly lost: AbortSignal
  release(): Promise<void>
}

/** Builds the result of `Engine.describe` from one row per column of a table and one row per index. */
export function gatherSchema(
  rows: readonly { type: 'table' | 'index'; name: string; column: string | null }[],
): Awaited<ReturnType<Engine['describe']>> {
  const columns = new Map<string, Set<string>>()
  const indexes = new Set<string>()
  for (const { type, name, column } of rows) {
    if (type === 'index') indexes.add(name)
    else if (column !== null) columns.set(name, (columns.get(name) ?? new Set()).add(column))
  }
  return { columns, indexes }
}

export const PIPELINED_MARK = '/* pipelined */'

/**
 * Prefix of a pipelined statement, whose result is not needed: the transaction continues at once, and PostgreSQL receives the
 * statement together with the next one. Errors surface at the next statement, at the latest at the commit.
 */
export const PIPELINED: RawBuilder<unknown> = sql.raw(`${PIPELINED_MARK} `)

/** A write, so that its commit waits for the disk. */
export const FLUSH: RawBuilder<unknown> = sql`
  insert into facts (name, value) values ('settled', '') on conflict (name) do update set value = ''`

/** A condition of `Engine.expect` did not hold; the transaction was rolled back. */
export class UnexpectedError extends Error {
  constructor() {
    super('a condition of this transaction did not hold')
    this.name = 'UnexpectedError'
  }
}

/** The disk of the database is full: nothing was written. */
export class StoreFullError extends Error {
  constructor(cause: Error) {
    super(`the disk is full: ${cause.message}`, { cause })
    this.name = 'StoreFullError'
  }
}

/** No database connection became free within the time limit. */
export class StoreBusyError extends Error {
  constructor({
    reason = 'every database connection is in use',
    ...options
  }: { reason?: string | undefined } & ErrorOptions = {}) {
    super(reason, options)
    this.name = 'StoreBusyError'
  }
}
