import { Kysely, PostgresDialect, sql } from 'kysely'
import type pg from 'pg'
import { systemClock } from '../clock.ts'
import {
  type Ability,
  type Engine,
  FLUSH,
  gatherSchema,
  PIPELINED,
  StoreFullError,
  type Tables,
  type Touched,
  UnexpectedError,
} from './database.ts'
import { type ConnectionSettings, disconnect, isLost, openConnections } from './postgres-connections.ts'

const CHANNEL = 'twinpool'
/** application_name of each process's listening connection: it shows what the process is able to do. */
const LISTENER = 'twinpool-listener-2'
/** The names of builds that lack an ability. */
const LISTENERS_WITHOUT: Record<Ability, readonly string[]> = {
  sealing: ['twinpool-listen'],
  rotation: ['twinpool-listen', 'twinpool-listener'],
}
const HORIZON = sql<number>`pg_snapshot_xmin(pg_current_snapshot())::text::bigint`
const NUMBER = sql<number>`pg_current_xact_id()::text::bigint`
/** Payloads of NOTIFY must be shorter than 8,000 bytes. https://www.postgresql.org/docs/current/sql-notify.html */
const PAYLOAD_BYTES = 7_900
/** deadlock_detected, serialization_failure. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const RETRYABLE = new Set(['40P01', '40001'])
const ATTEMPTS = 5
/** disk_full. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const DISK_FULL = '53100'
/** Appears in the server's log when a condition does not hold, as the invalid number (invalid_text_representation). */
const UNEXPECTED = 'Twinpool: the expected state has changed, the transaction is retried'
const RELISTEN_MILLISECONDS = 250
/** lock_not_available. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const LOCK_NOT_AVAILABLE = '55P03'
const ALTER_LOCK_TIMEOUT_MILLISECONDS = 200
const ALTER_PAUSE_MILLISECONDS = 100
const INDEXES = 'schema indexes'
const LEASE = 'replication lease'
/** How often a waiting process tries to take the lease. */
const LEASE_MILLISECONDS = 1_000
/** After this time without a statement (the process is stopped, or lost with its machine) the server ends the lease. */
const LEASE_SILENCE_MILLISECONDS = 5_000

/**
 * PostgreSQL: any number of processes per region share one database.
 *
 * Sequence numbers become visible out of commit order, so the log is read in the order of transaction ids, and only below the
 * oldest running one. A transaction is durable when its promise resolves (`synchronous_commit=on`).
 */
export function openPostgres(url: string, settings: ConnectionSettings = {}): Engine {
  const connections = openConnections(url, settings)
  const { connect, isRefusal, servers } = connections
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: connections }),
  })
  const writer = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: connections.writing }) })
  const log = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: connections.openLogPool() }) })
  const relaxed = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: connections.openRelaxed() }) })
  let closed = false
  let listener: pg.Client | undefined

  const query = async (text: string, values: readonly (string | number)[]): Promise<pg.QueryResult> => {
    const client = await connect()
    try {
      return await client.query(text, [...values])
    } finally {
      client.release()
    }
  }

  return {
    name: 'postgres',
    hasWritableCtes: true,
    reader: db,
    logReader: log,
    query: async <R>(text: string, values: readonly (string | number)[]) => {
      const { rows } = await query(text, values).catch((error: unknown) => {
        if (isLost(error)) return query(text, values)
        throw error
      })
      return rows as R[]
    },
    transaction: async (work, options) => {
      const on = options?.relaxed ? relaxed : options?.unlogged ? db : writer
      for (let attempt = 1; ; attempt += 1) {
        let worked = false
        let reason: unknown
        try {
          return await on.transaction().execute(async (tx) => {
            try {
              const result = await work(tx)
              worked = true
              return result
            } catch (error) {
              reason = error
              throw error
            }
          })
        } catch (error) {
          // On a lost connection the rollback fails too, and would hide the cause.
          const cause = reason ?? error
          if (isRefusal(cause) && (cause as Error).message.includes(UNEXPECTED)) throw new UnexpectedError()
          const { code = '' } = cause as { code?: string }
          if (code === DISK_FULL) throw new StoreFullError(cause as Error)
          const retryable = RETRYABLE.has(code)
          // The outcome of a commit without a response is unknown: it is not retried.
          const undone = !worked || isRefusal(cause)
          const again = retryable ? attempt < ATTEMPTS : attempt === 1 && undone && isLost(cause)
          if (!again) throw cause
        }
      }
    },
    // A commit flushes all earlier writes, too.
    flush: async () => {
      await FLUSH.execute(writer)
    },
    longTransaction: async (work) => {
      const dedicated = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: connections.openUnbounded() }) })
      try {
        return await dedicated.transaction().execute(work)
      } finally {
        await dedicated.destroy()
      }
    },
    describe: async () => {
      const { rows } = await sql<{ type: 'table' | 'index'; name: string; column: string | null }>`
        select 'table' as type, found.relname as name, attribute.attname as column
        from pg_class as found join pg_attribute as attribute on attribute.attrelid = found.oid
        where found.relnamespace = current_schema()::regnamespace and found.relkind in ('r', 'p')
          and attribute.attnum > 0 and not attribute.attisdropped
        union all select 'index', found.relname, null
        from pg_index as definition join pg_class as found on found.oid = definition.indexrelid
        where found.relnamespace = current_schema()::regnamespace and definition.indisvalid`.execute(db)
      return gatherSchema(rows)
    },
    // `alter table` waits for every transaction that uses the table, and all later ones queue behind it: hence the lock timeout.
    addColumn: async ({ table, name, type }) => {
      for (;;) {
        try {
          await writer.transaction().execute(async (tx) => {
            await sql`set local lock_timeout = ${sql.lit(ALTER_LOCK_TIMEOUT_MILLISECONDS)}`.execute(tx)
            await sql`alter table ${sql.table(table)} add column if not exists ${sql.ref(name)} ${type}`.execute(tx)
          })
          return
        } catch (error) {
          if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE) throw error
          await systemClock.wait(ALTER_PAUSE_MILLISECONDS)
        }
      }
    },
    addIndex: async ({ name, statement }) => {
      const dedicated = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: connections.openUnbounded() }) })
      try {
        await dedicated.connection().execute(async (connection) => {
          // Polled: `create index concurrently` waits for every running statement, and would wait for a blocked lock statement,
          // too.
          for (;;) {
            const { rows } = await sql<{ granted: boolean }>`
              select pg_try_advisory_lock(hashtextextended(${INDEXES}, 0)) as granted`.execute(connection)
            if (rows[0]?.granted) break
            await systemClock.wait(ALTER_PAUSE_MILLISECONDS)
          }
          // An invalid index was left by a process that died while it created it.
          const { rows } = await sql<{ valid: boolean }>`
            select indisvalid as valid from pg_index where indexrelid = to_regclass(quote_ident(${name}))`.execute(
            connection,
          )
          if (rows[0]?.valid === false) await sql`drop index concurrently ${sql.ref(name)}`.execute(connection)
          const { sql: text } = statement.compile(connection)
          await sql.raw(text.replace(/^create index /, 'create index concurrently ')).execute(connection)
        })
      } finally {
        // Closing the connection releases the advisory lock.
        await dedicated.destroy()
      }
    },
    analyze: async (table) => {
      await sql`analyze ${sql.table(table)}`.execute(db)
    },
    lock: async (tx, names) => {
      const sorted = [...new Set(names)].sort()
      await sql`${PIPELINED}select pg_advisory_xact_lock(hashtextextended(name, 0))
        from unnest(${sorted}::text[]) as name`.execute(tx)
    },
    expect: async (tx, condition) => {
      await sql`${PIPELINED}select cast(case when ${condition} then '1' else ${sql.lit(UNEXPECTED)} end as integer)`.execute(
        tx,
      )
    },
    transactionNumber: async (tx) => {
      const { rows } = await sql<{ number: number }>`select ${NUMBER} as number`.execute(tx)
      return rows[0]?.number ?? 0
    },
    transactionNumberSql: NUMBER,
    horizonSql: HORIZON,
    // Every role sees the pid, database and transaction number of other roles' connections; their times only with
    // pg_read_all_stats. https://www.postgresql.org/docs/current/monitoring-stats.html
    findHolder: async () => {
      const { rows } = await sql<{
        database: string
        pid: number | null
        prepared: string | null
        seconds: number | null
      }>`
        select datname as database, pid, null as prepared, extract(epoch from now() - xact_start)::float8 as seconds,
          age(backend_xid) as age from pg_stat_activity where backend_xid is not null
        union all select database, null, gid, extract(epoch from now() - prepared)::float8, age(transaction)
        from pg_prepared_xacts order by age desc limit 1`.execute(log)
      const [row] = rows
      return (
        row && {
          database: row.database,
          pid: row.pid ?? undefined,
          prepared: row.prepared ?? undefined,
          transactionSeconds: row.seconds === null ? undefined : Math.round(row.seconds),
        }
      )
    },
    announce: async (tx, touched) => {
      const list = JSON.stringify(touched)
      await sql`${PIPELINED}select pg_notify(${CHANNEL}, ${Buffer.byteLength(list) > PAYLOAD_BYTES ? '*' : list})`.execute(
        tx,
      )
    },
    guard: async (check) => {
      const client = await connect()
      try {
        await servers.guard(client, check)
      } finally {
        client.release()
      }
    },
    listen: async (notify, interrupted) => {
      servers.onMoved(interrupted)
      const first = Promise.withResolvers<void>()
      const follow = async (): Promise<void> => {
        while (!closed) {
          try {
            const client = await connections.open(LISTENER)
            const ended = new Promise<void>((resolve) => client.once('end', resolve).once('error', () => resolve()))
            listener = client
            client.on('notification', ({ payload }) => notify(parse(payload)))
            try {
              await client.query(`listen ${CHANNEL}`)
              notify(undefined)
              first.resolve()
              // The store may have been closed while this connection was opened.
              if (!closed) await ended
            } finally {
              servers.doubt()
              await disconnect(client)
            }
          } catch (error) {
            first.reject(error)
          }
          if (!closed) await systemClock.wait(RELISTEN_MILLISECONDS)
        }
      }
      void follow()
      await first.promise
    },
    lead: async (signal) => {
      // An advisory lock of the session ends with the process, however the process ends.
      // https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-IDLE-SESSION-TIMEOUT
      const client = await connections.open('twinpool-lease')
      const lost = new AbortController()
      client.once('error', () => lost.abort()).once('end', () => lost.abort())
      const release = (): Promise<void> => disconnect(client)
      try {
        await client.query(`set idle_session_timeout = ${LEASE_SILENCE_MILLISECONDS}`)
        for (;;) {
          signal.throwIfAborted()
          const { rows } = await client.query<{ granted: boolean }>(
            'select pg_try_advisory_lock(hashtextextended($1, 0)) as granted',
            [LEASE],
          )
          if (rows[0]?.granted) return { lost: lost.signal, release }
          await systemClock.wait(LEASE_MILLISECONDS, AbortSignal.any([signal, lost.signal]))
        }
      } catch (error) {
        await release()
        throw error
      }
    },
    serverTime: connections.serverClock.now,
    connectionUsage: connections.usage,
    hasOlderProcesses: async (ability = 'sealing') => {
      const { rows } = await sql`
        select 1 from pg_stat_activity
        where datname = current_database() and application_name in (${sql.join(LISTENERS_WITHOUT[ability])}) limit 1`.execute(
        db,
      )
      return rows.length > 0
    },
    close: async () => {
      closed = true
      if (listener) await disconnect(listener)
      await log.destroy()
      await relaxed.destroy()
      await writer.destroy()
      await db.destroy()
    },
  }
}

function parse(payload: string | undefined): Touched[] | undefined {
  if (!payload || payload === '*') return undefined
  return JSON.parse(payload) as Touched[]
}
