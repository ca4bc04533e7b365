import { Kysely, PostgresDialect, sql } from 'kysely'
import type pg from 'pg'
import { systemClock } from '../clock.ts'
import type { Connection, DatabaseCheck, Tables } from './database.ts'

/** Which server, and which database of it, a connection leads to. */
interface Server {
  system: string
  /** Rises when a standby is promoted, and when a server is restored from an archive. */
  timeline: number
  database: string
}

/**
 * The servers that the connections of one process lead to. After a failover, connections to the old server and to its successor may
 * live at the same time, whether the successor has another address or a proxy leads to it. One server is current: the one that a
 * connection reached last.
 */
export interface Servers {
  /**
   * Makes the server of a new connection the current one. Call it for a server that accepts writes, before any write. Resolves
   * when the database has been checked; rejects if the check fails, or if the server was replaced.
   */
  admit(client: pg.ClientBase): Promise<void>
  /** Whether the connection leads to the current server. If not, it must not be used any more. */
  isCurrent(client: pg.ClientBase): boolean
  /** Call when the server has responded: only a current server that responds keeps its predecessor out. */
  responded(client: pg.ClientBase): void
  /** Call when connections were lost: the next one may lead to an earlier state of the same database. */
  doubt(): void
  /** Sets the check of each database that becomes current, and runs it on this connection. */
  guard(client: pg.ClientBase, check: DatabaseCheck): Promise<void>
  /** The listener is called when another server has become current, or one that was in doubt, before it is used. */
  onMoved(listener: () => void): () => void
}

/** A replaced primary that still runs, or runs again. */
export class ReplacedServerError extends Error {
  constructor(timeline: number, newer: number) {
    super(`this PostgreSQL is at timeline ${timeline}, and was replaced by a server at timeline ${newer}`)
    this.name = 'ReplacedServerError'
  }
}

/**
 * How long a replaced primary is refused after its successor has responded for the last time. Later it is used: it may have been
 * restored from a backup.
 */
const REPLACED_MILLISECONDS = 30_000

/** All roles may call these functions. They are not supported by every service that speaks the protocol of PostgreSQL. */
const SERVER = `select system_identifier::text as system,
  ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int as timeline,
  (select oid from pg_database where datname = current_database())::text as database from pg_control_system()`
/**
 * insufficient_privilege, undefined_function, feature_not_supported.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const UNSUPPORTED = new Set(['42501', '42883', '0A000'])
const UNKNOWN: Server = { system: '', timeline: 0, database: '' }

export function createServers(): Servers {
  const servers = new WeakMap<pg.ClientBase, string>()
  const listeners = new Set<() => void>()
  let current: Server | undefined
  let respondedAt = 0
  let check: DatabaseCheck | undefined
  let doubtful = false
  let admission: Promise<void> = Promise.resolve()

  const refuseReplaced = (server: Server): void => {
    if (!current || current.system !== server.system || current.timeline <= server.timeline) return
    if (systemClock.monotonic() - respondedAt > REPLACED_MILLISECONDS) return
    throw new ReplacedServerError(server.timeline, current.timeline)
  }
  const enter = async (client: pg.ClientBase, server: Server): Promise<void> => {
    if (!current || doubtful || identityOf(current) !== identityOf(server)) {
      refuseReplaced(server)
      doubtful = false
      await check?.(databaseOf(client, server)).catch((error: unknown) => {
        doubtful = true
        throw error
      })
      const moved = current !== undefined
      current = server
      if (moved) for (const listener of listeners) listener()
    }
    respondedAt = systemClock.monotonic()
  }
  const isCurrent = (client: pg.ClientBase): boolean =>
    current !== undefined && servers.get(client) === identityOf(current)

  return {
    admit: async (client) => {
      const server = await describe(client)
      servers.set(client, identityOf(server))
      // One after another: a connection must not be used while another one is still checking the same database.
      admission = admission.catch(() => {}).then(() => enter(client, server))
      await admission
    },
    isCurrent,
    responded: (client) => {
      if (isCurrent(client)) respondedAt = systemClock.monotonic()
    },
    doubt: () => {
      doubtful = true
    },
    guard: async (client, newCheck) => {
      check = newCheck
      await check(databaseOf(client, current ?? UNKNOWN))
    },
    onMoved: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

const identityOf = ({ system, timeline, database }: Server): string => `${system}/${timeline}/${database}`

async function describe(client: pg.ClientBase): Promise<Server> {
  try {
    return (await client.query<Server>(SERVER)).rows[0] ?? UNKNOWN
  } catch (error) {
    if (UNSUPPORTED.has((error as { code?: string }).code ?? '')) return UNKNOWN
    throw error
  }
}

function databaseOf(client: pg.ClientBase, server: Server): Parameters<DatabaseCheck>[0] {
  const only = { query: client.query.bind(client), release: () => {} } as unknown as pg.PoolClient
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: { connect: async () => only, end: async () => {}, options: {} } }),
  })
  return {
    identity: server === UNKNOWN ? undefined : identityOf(server),
    // The identity is recorded in the database.
    replaced: false,
    transact: <T>(work: (tx: Connection) => Promise<T>) =>
      db.transaction().execute(async (tx) => {
        // The connection may be one whose commits do not wait for the disk.
        await sql`set local synchronous_commit = on`.execute(tx)
        return work(tx)
      }),
  }
}
