import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { systemClock } from '../clock.ts'
import type { Engine, Tables, Touched } from './database.ts'

const CHANNEL = 'twinpool'
/** Payloads of NOTIFY must be shorter than 8,000 bytes. https://www.postgresql.org/docs/current/sql-notify.html */
const PAYLOAD_BYTES = 7_900
/** deadlock_detected, serialization_failure. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const RETRYABLE = new Set(['40P01', '40001'])
const ATTEMPTS = 5
const INT8 = 20
const RELISTEN_MILLISECONDS = 250
const LEASE = 'replication lease'
/** How often a process that waits for the lease asks for it. */
const LEASE_MILLISECONDS = 1_000
/** A listener hears nothing of a server that is gone without a word; by default TCP would ask after two hours. */
const KEEP_ALIVE_MILLISECONDS = 5_000

/**
 * PostgreSQL: any number of processes per region share one database.
 *
 * A sequence number becomes visible out of commit order, so the log is read in the order of transaction ids, and only
 * below the oldest one that is still running. A transaction is durable when its promise resolves (`synchronous_commit=on`).
 */
export function openPostgres(url: string, options: { connections?: number } = {}): Engine {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.connections ?? 16,
    application_name: 'twinpool',
    connectionTimeoutMillis: 10_000,
    types: { getTypeParser: (id, format) => (id === INT8 ? Number : pg.types.getTypeParser(id, format)) },
    options: '-c synchronous_commit=on -c default_transaction_isolation=read\\ committed',
  })
  // A connection that breaks while idle is replaced by the pool; the next query says what is wrong.
  pool.on('error', () => {})
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  let closed = false
  let listener: pg.Client | undefined

  return {
    name: 'postgres',
    reader: db,
    // A name lets a connection keep the plan of a statement; the server's connections are not shared through a pooler (see lead).
    query: async <R>(text: string, values: readonly (string | number)[]) =>
      (await pool.query({ name: nameOf(text), text, values: [...values] })).rows as R[],
    transaction: async (work) => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await db.transaction().execute(work)
        } catch (error) {
          if (attempt >= ATTEMPTS || !RETRYABLE.has((error as { code?: string }).code ?? '')) throw error
        }
      }
    },
    lock: async (tx, names) => {
      const sorted = [...new Set(names)].sort()
      await sql`select pg_advisory_xact_lock(hashtextextended(name, 0)) from unnest(${sorted}::text[]) as name`.execute(
        tx,
      )
    },
    transactionNumber: async (tx) => {
      const { rows } = await sql<{ number: number }>`select pg_current_xact_id()::text::bigint as number`.execute(tx)
      return rows[0]?.number ?? 0
    },
    horizon: async (connection) => {
      const { rows } = await sql<{ number: number }>`
        select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as number`.execute(connection)
      return rows[0]?.number ?? 0
    },
    announce: async (tx, touched) => {
      const list = JSON.stringify(touched)
      await sql`select pg_notify(${CHANNEL}, ${Buffer.byteLength(list) > PAYLOAD_BYTES ? '*' : list})`.execute(tx)
    },
    listen: async (heard) => {
      const first = Promise.withResolvers<void>()
      const follow = async (): Promise<void> => {
        while (!closed) {
          const client = new pg.Client({
            connectionString: url,
            application_name: 'twinpool-listen',
            keepAlive: true,
            keepAliveInitialDelayMillis: KEEP_ALIVE_MILLISECONDS,
          })
          const ended = new Promise<void>((resolve) => client.once('end', resolve).on('error', () => resolve()))
          try {
            await client.connect()
            client.on('notification', ({ payload }) => heard(parse(payload)))
            await client.query(`listen ${CHANNEL}`)
            listener = client
            heard(undefined)
            first.resolve()
            // A store may be closed while this connection is made.
            if (!closed) await ended
          } catch (error) {
            first.reject(error)
          }
          await client.end().catch(() => {})
          if (!closed) await systemClock.wait(RELISTEN_MILLISECONDS)
        }
      }
      void follow()
      await first.promise
    },
    lead: async (signal) => {
      // The lock is the session's: it ends with the process, however that ends.
      const client = new pg.Client({
        connectionString: url,
        application_name: 'twinpool-lease',
        keepAlive: true,
        keepAliveInitialDelayMillis: KEEP_ALIVE_MILLISECONDS,
        connectionTimeoutMillis: 10_000,
      })
      const lost = new AbortController()
      client.on('error', () => lost.abort()).once('end', () => lost.abort())
      const release = async (): Promise<void> => {
        await client.end().catch(() => {})
      }
      try {
        await client.connect()
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
    close: async () => {
      closed = true
      await listener?.end().catch(() => {})
      await db.destroy()
    },
  }
}

const names = new Map<string, string>()

/** Statements are few: their number is their name. */
function nameOf(text: string): string {
  const name = names.get(text) ?? `s${names.size}`
  names.set(text, name)
  return name
}

function parse(payload: string | undefined): Touched[] | undefined {
  if (!payload || payload === '*') return undefined
  return JSON.parse(payload) as Touched[]
}
