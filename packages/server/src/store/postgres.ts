import { Kysely, PostgresDialect, sql } from 'kysely'
import type pg from 'pg'
import { systemClock } from '../clock.ts'
import { type Engine, gatherSchema, SETTLE, type Tables, TOLD, type Touched, UnexpectedError } from './database.ts'
import { type ConnectionSettings, isLost, openConnections, part } from './postgres-connections.ts'

const CHANNEL = 'twinpool'
/** Each process keeps one connection with this name. The first release, which cannot read sealed groups, called it otherwise. */
const LISTENER = 'twinpool-listener'
const FIRST_LISTENER = 'twinpool-listen'
const HORIZON = sql<number>`pg_snapshot_xmin(pg_current_snapshot())::text::bigint`
const NUMBER = sql<number>`pg_current_xact_id()::text::bigint`
/** Payloads of NOTIFY must be shorter than 8,000 bytes. https://www.postgresql.org/docs/current/sql-notify.html */
const PAYLOAD_BYTES = 7_900
/** deadlock_detected, serialization_failure. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const RETRYABLE = new Set(['40P01', '40001'])
const ATTEMPTS = 5
/** Stands in the server's own log when it happens, as the text that is no number (invalid_text_representation). */
const UNEXPECTED = 'something is not as Twinpool expected it, and is read again'
const RELISTEN_MILLISECONDS = 250
/** lock_not_available. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const LOCK_NOT_AVAILABLE = '55P03'
const ALTER_PATIENCE_MILLISECONDS = 200
const ALTER_PAUSE_MILLISECONDS = 100
const INDEXES = 'schema indexes'
const LEASE = 'replication lease'
/** How often a process that waits for the lease asks for it. */
const LEASE_MILLISECONDS = 1_000
/** The lease of a process that says nothing for so long (stopped, or lost with its machine) is the server's to end. */
const LEASE_SILENCE_MILLISECONDS = 5_000

/**
 * PostgreSQL: any number of processes per region share one database.
 *
 * A sequence number becomes visible out of commit order, so the log is read in the order of transaction ids, and only
 * below the oldest one that is still running. A transaction is durable when its promise resolves (`synchronous_commit=on`).
 */
export function openPostgres(url: string, settings: ConnectionSettings = {}): Engine {
  const connections = openConnections(url, settings)
  const { connect, isRefusal } = connections
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: connections }),
  })
  const log = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: connections.openAside() }) })
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
    chains: true,
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
      const on = options?.relaxed ? relaxed : db
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
          // On a connection that is lost the rollback fails too, and would hide why.
          const cause = reason ?? error
          if (isRefusal(cause) && (cause as Error).message.includes(UNEXPECTED)) throw new UnexpectedError()
          const asked = RETRYABLE.has((cause as { code?: string }).code ?? '')
          // Nobody knows what became of a commit that had no answer: it is not tried again.
          const undone = !worked || isRefusal(cause)
          const again = asked ? attempt < ATTEMPTS : attempt === 1 && undone && isLost(cause)
          if (!again) throw cause
        }
      }
    },
    // Whatever is flushed at a commit, all that was written before it is flushed too.
    settle: async () => {
      await SETTLE.execute(log)
    },
    unhurried: async (work) => {
      const alone = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: connections.openUnhurried() }) })
      try {
        return await alone.transaction().execute(work)
      } finally {
        await alone.destroy()
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
    // Whoever wants the whole table, if only for a moment, waits for every transaction that uses it, and everybody after it waits, too.
    addColumn: async ({ table, name, type }) => {
      for (;;) {
        try {
          await db.transaction().execute(async (tx) => {
            await sql`set local lock_timeout = ${sql.lit(ALTER_PATIENCE_MILLISECONDS)}`.execute(tx)
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
      const alone = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: connections.openUnhurried() }) })
      try {
        await alone.connection().execute(async (connection) => {
          // Asked for again and again, not waited for: the index waits for every statement that is running, that one included.
          for (;;) {
            const { rows } = await sql<{ granted: boolean }>`
              select pg_try_advisory_lock(hashtextextended(${INDEXES}, 0)) as granted`.execute(connection)
            if (rows[0]?.granted) break
            await systemClock.wait(ALTER_PAUSE_MILLISECONDS)
          }
          // One that is there and not valid was left by a process that died over it.
          const { rows } = await sql<{ valid: boolean }>`
            select indisvalid as valid from pg_index where indexrelid = to_regclass(quote_ident(${name}))`.execute(
            connection,
          )
          if (rows[0]?.valid === false) await sql`drop index concurrently ${sql.ref(name)}`.execute(connection)
          const { sql: text } = statement.compile(connection)
          await sql.raw(text.replace(/^create index /, 'create index concurrently ')).execute(connection)
        })
      } finally {
        // The lock is the connection's.
        await alone.destroy()
      }
    },
    analyze: async (table) => {
      await sql`analyze ${sql.table(table)}`.execute(db)
    },
    lock: async (tx, names) => {
      const sorted = [...new Set(names)].sort()
      await sql`${TOLD}select pg_advisory_xact_lock(hashtextextended(name, 0)) from unnest(${sorted}::text[]) as name`.execute(
        tx,
      )
    },
    expect: async (tx, condition) => {
      await sql`${TOLD}select cast(case when ${condition} then '1' else ${sql.lit(UNEXPECTED)} end as integer)`.execute(
        tx,
      )
    },
    transactionNumber: async (tx) => {
      const { rows } = await sql<{ number: number }>`select ${NUMBER} as number`.execute(tx)
      return rows[0]?.number ?? 0
    },
    transactionNumberHere: NUMBER,
    horizonHere: HORIZON,
    announce: async (tx, touched) => {
      const list = JSON.stringify(touched)
      await sql`${TOLD}select pg_notify(${CHANNEL}, ${Buffer.byteLength(list) > PAYLOAD_BYTES ? '*' : list})`.execute(
        tx,
      )
    },
    listen: async (heard) => {
      const first = Promise.withResolvers<void>()
      const follow = async (): Promise<void> => {
        while (!closed) {
          try {
            const client = await connections.open(LISTENER)
            const ended = new Promise<void>((resolve) => client.once('end', resolve).once('error', () => resolve()))
            listener = client
            client.on('notification', ({ payload }) => heard(parse(payload)))
            try {
              await client.query(`listen ${CHANNEL}`)
              heard(undefined)
              first.resolve()
              // A store may be closed while this connection is made.
              if (!closed) await ended
            } finally {
              await part(client)
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
      // The lock is the session's: it ends with the process, however that ends. https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-IDLE-SESSION-TIMEOUT
      const client = await connections.open('twinpool-lease')
      const lost = new AbortController()
      client.once('error', () => lost.abort()).once('end', () => lost.abort())
      const release = (): Promise<void> => part(client)
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
    hasOlderProcesses: async () => {
      const { rows } = await sql`
        select 1 from pg_stat_activity where datname = current_database() and application_name = ${FIRST_LISTENER} limit 1`.execute(
        db,
      )
      return rows.length > 0
    },
    close: async () => {
      closed = true
      if (listener) await part(listener)
      await log.destroy()
      await relaxed.destroy()
      await db.destroy()
    },
  }
}

function parse(payload: string | undefined): Touched[] | undefined {
  if (!payload || payload === '*') return undefined
  return JSON.parse(payload) as Touched[]
}
