import { type Kysely, type Transaction as KyselyTransaction, type RawBuilder, sql } from 'kysely'

/** The tables are addressed by kind (see kinds.ts), so their columns are not spelled out in types a second time. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Tables = any

export type Connection = Kysely<Tables> | KyselyTransaction<Tables>

/** A row that processes keep in memory has changed; `undefined` instead of a list means: forget everything. */
export interface Touched {
  kind: string
  pool: string
  key: string
}

/**
 * What the two engines do differently, and nothing else. All other SQL is written once, for both.
 */
export interface Engine {
  readonly name: 'sqlite' | 'postgres'
  /** Snapshot reads; never sees a transaction that is still open. */
  readonly reader: Kysely<Tables>
  /** The same, for what peers are told as it happens: however many calls there are, it does not wait behind them. */
  readonly logReader: Kysely<Tables>
  /**
   * Runs a finished SELECT outside any transaction; sees what was committed. For the few statements that calls live of: the text
   * stays the same and is kept prepared.
   */
  query<R>(text: string, parameters: readonly (string | number)[]): Promise<R[]>
  /** Runs the work in one transaction, durable by default; runs it again when the engine asks for that. */
  transaction<T>(work: (tx: KyselyTransaction<Tables>) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** Resolves once every transaction that has ended before, relaxed ones too, is durable. */
  settle(): Promise<void>
  /** The same as `transaction` for work on a whole table, that may take longer than anything a caller waits for. Runs once. */
  unhurried<T>(work: (tx: KyselyTransaction<Tables>) => Promise<T>): Promise<T>
  /** Lets the planner see what a table holds, when much has come into it at once. */
  analyze(table: string): Promise<void>
  /** The tables with their columns, and the indexes that are ready to be used. */
  describe(): Promise<{ columns: ReadonlyMap<string, ReadonlySet<string>>; indexes: ReadonlySet<string> }>
  /** Adds a column that may be null, if it is not there. Does not keep other users of the table waiting. */
  addColumn(column: { table: string; name: string; type: RawBuilder<unknown> }): Promise<void>
  /** Makes an index (`create index if not exists`) on a table that is in use: others may write to it all the while. */
  addIndex(index: { name: string; statement: RawBuilder<unknown> }): Promise<void>
  /**
   * Takes the rows of these names for the statements of this transaction that follow: nobody else may write them before it
   * has ended. What is read elsewhere (outside `tx`) may be read before they are taken.
   */
  lock(tx: Connection, names: readonly string[]): Promise<void>
  /**
   * Undoes the transaction, which then throws UnexpectedError, unless the condition holds for the statements of it that follow. PostgreSQL is not asked
   * but told: what is expected of it need not be read first.
   */
  expect(tx: Connection, condition: RawBuilder<boolean>): Promise<void>
  /** The number of the transaction. Changes are read in the order of these numbers. */
  transactionNumber(tx: Connection): Promise<number>
  /** The same, as an expression that a statement of the transaction can contain: one question less. */
  readonly transactionNumberHere?: RawBuilder<number>
  /** Whether a statement may write several tables (`with … as (insert …)`): one question less. */
  readonly chains: boolean
  /** All transactions with a number below this one have ended, and can be seen by the statement that contains this expression. */
  readonly horizonHere: RawBuilder<number>
  /** Tells the other processes of the region, once the transaction is durable, that something changed. */
  announce(tx: Connection, touched: readonly Touched[]): Promise<void>
  /** Calls back when another process announced a change; `undefined` when announcements may have been missed. */
  listen(heard: (touched: readonly Touched[] | undefined) => void): Promise<void>
  /** Waits until this process is the one of its region that follows other regions. Rejects when the signal fires. */
  lead(signal: AbortSignal): Promise<Lease>
  /** Whether a process of an older build, which cannot read sealed groups, has this database open. */
  hasOlderProcesses(): Promise<boolean>
  close(): Promise<void>
}

export interface TransactionOptions {
  /**
   * A crash of the database server (SQLite: of the machine) may undo the transaction, and whatever was relaxed after it with it, until something
   * durable has been committed or `settle` has resolved; on PostgreSQL for no more than a second. For what can be done again, and has added nothing
   * to the log: whoever reads that must never have to unlearn it.
   */
  relaxed?: boolean | undefined
}

export interface Lease {
  /** Fires when another process may have taken over. */
  readonly lost: AbortSignal
  release(): Promise<void>
}

/** What `Engine.describe` returns, from a list of tables, one row for each column, and indexes. */
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

export const TOLD_WORD = '/* told */'

/**
 * Begins a statement of a transaction whose answer nobody needs: PostgreSQL gets it together with the next statement, and
 * the transaction goes on at once. What goes wrong with it comes out at that next statement, at the latest when the
 * transaction is committed.
 */
export const TOLD: RawBuilder<unknown> = sql.raw(`${TOLD_WORD} `)

/** Changes something, and thereby has the disk waited for when it is committed. */
export const SETTLE: RawBuilder<unknown> = sql`
  insert into facts (name, value) values ('settled', '') on conflict (name) do update set value = ''`

/** Something is not as a transaction expected it; nothing of the transaction was done. */
export class UnexpectedError extends Error {
  constructor() {
    super('something is not as this transaction expected it')
    this.name = 'UnexpectedError'
  }
}

/** Every connection to the database is taken, and stayed taken for as long as a call may wait. */
export class StoreBusyError extends Error {
  constructor(options: ErrorOptions) {
    super('every connection to the database is taken', options)
    this.name = 'StoreBusyError'
  }
}
