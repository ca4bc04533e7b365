import type { Socket } from 'node:net'
import pg from 'pg'
import {
  type AbandonedConnections,
  createAbandonedConnections,
  FIND_PROCESSES,
  type ServerProcess,
} from './abandoned-connections.ts'
import { PIPELINED_MARK, StoreBusyError } from './database.ts'
import { createPermits } from './permits.ts'
import { createServers, type Servers } from './postgres-servers.ts'
import { createServerClock, SERVER_TIME, type ServerClock } from './server-clock.ts'
import { createSessionCheck, NotSessionModeError, type SessionCheck } from './session-mode.ts'
import { createTurns, type Turns } from './turns.ts'

/** The connections of one process to its PostgreSQL. All waits are bounded. */
export interface Connections extends ConnectionPool {
  /**
   * The same connections, for transactions. They use three quarters of them at most, including those whose commit will never
   * return (abandoned-connections.ts), so reads always have the others.
   */
  writing: ConnectionPool
  /** A pool of one connection without a statement timeout. */
  openUnbounded(): ConnectionPool
  /** A separate pool for reading the log, which never waits behind calls. */
  openLogPool(): ConnectionPool
  /** A pool of one connection whose commits do not wait for the disk. */
  openRelaxed(): ConnectionPool
  /** A dedicated connection outside the pools, open until it is lost; close it with `disconnect`. */
  open(applicationName: string): Promise<pg.Client>
  /** Which servers the connections lead to. */
  readonly servers: Servers
  /** Measured with each new connection, and with each heartbeat. */
  readonly serverClock: ServerClock
  /** The use of the pool of calls; an abandoned connection is in use until the server has ended it. */
  usage(): PoolUsage
  /** Whether the error is a pipelined statement's refusal by the server, so that the commit sent after it had no effect. */
  isRefusal(error: unknown): boolean
}

export interface ConnectionPool {
  /** The caller must release the connection. */
  connect(): Promise<pg.PoolClient>
  end(): Promise<void>
  /** Kysely requires this member; ours is empty, because the connections have their options. */
  readonly options: object
}

export interface PoolUsage {
  used: number
  limit: number
  waiting: number
}

export interface ConnectionSettings {
  connections?: number | undefined
  /** Statement timeout. A connection that receives nothing for GRACE_MILLISECONDS longer is closed. */
  statementSeconds?: number | undefined
}

const CONNECTIONS = 16
const LOG_CONNECTIONS = 2
/** Of the connections of calls; the rest is for reads. */
const WRITING_SHARE = 0.75
const STATEMENT_SECONDS = 15
const MAX_CONNECT_MILLISECONDS = 10_000
/** Lets the server's statement timeout fire first if the server is alive. */
const GRACE_MILLISECONDS = 1_000
const DISCONNECT_MILLISECONDS = 1_000
/** Heartbeat of dedicated connections. */
const HEARTBEAT_MILLISECONDS = 1_000
/** Detects a server that disappeared without closing the connection; the TCP default is two hours. */
const KEEP_ALIVE_MILLISECONDS = 5_000
const INT8 = 20
/** https://www.postgresql.org/docs/current/errcodes-appendix.html: read_only_sql_transaction. */
const READ_ONLY = '25006'
/** too_many_connections */
const TOO_MANY_CONNECTIONS = '53300'

/** The server accepts no writes: a standby, or a demoted primary. The primary may be at another address. */
export class StandbyError extends Error {
  constructor() {
    super('this PostgreSQL accepts no writes: it is a standby, or read-only')
    this.name = 'StandbyError'
  }
}

/**
 * @param url as in libpq: of several addresses (`host1:5432,host2:5432`) the one that accepts writes is used, and searched for
 * again when it is lost
 */
export function openConnections(url: string, settings: ConnectionSettings = {}): Connections {
  const { connections = CONNECTIONS, statementSeconds = STATEMENT_SECONDS } = settings
  const milliseconds = statementSeconds * 1_000
  const socketTimeout = milliseconds + GRACE_MILLISECONDS
  const urls = addressesOf(url)
  const shared: SharedState = { nameOf: createNames(), turns: createTurns(), refusals: new WeakSet() }
  const servers = createServers()
  const serverClock = createServerClock()
  const connectMilliseconds = Math.min(MAX_CONNECT_MILLISECONDS, milliseconds)
  const abandoned: AbandonedConnections = createAbandonedConnections({
    find: async (pids) => {
      const client = await watch.connect()
      try {
        return (await client.query<ServerProcess>(FIND_PROCESSES, [pids])).rows
      } finally {
        client.release()
      }
    },
  })
  const reasonOfBusy = (): string | undefined =>
    abandoned.waitForStandby()
      ? 'all writes wait for a synchronous standby that does not respond'
      : abandoned.count() > 0
        ? `PostgreSQL has not responded: it has not ended ${abandoned.count()} connections that were closed here`
        : undefined
  const busy = (cause: unknown): StoreBusyError => new StoreBusyError({ reason: reasonOfBusy(), cause })
  let preferred = 0
  /** Address of the newest connection. */
  let current = 0

  const config: pg.ClientConfig = {
    pipeline: true,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MILLISECONDS,
    connectionTimeoutMillis: connectMilliseconds,
    types: { getTypeParser: (id, format) => (id === INT8 ? Number : pg.types.getTypeParser(id, format)) },
  }
  const bounded: Session = { socketTimeout, statementTimeout: milliseconds, synchronousCommit: 'on' }
  const unbounded: Session = { ...bounded, socketTimeout: 0, statementTimeout: 0 }
  /** Connects to the address that is preferred at construction. */
  class Client extends pg.Client {
    readonly address = preferred
    constructor(config?: pg.ClientConfig & { turns?: boolean }) {
      super({ ...config, connectionString: urls[preferred] })
      // A connection that breaks between two statements would otherwise end the process; the next statement reports the error.
      this.on('error', () => {})
      pipelineStatements(this, shared, { turns: config?.turns ?? false })
    }
  }
  const openRaw = async (): Promise<pg.Client> => {
    const client = new Client({ ...config, application_name: 'twinpool-check' })
    await client.connect()
    return client
  }
  const sessionCheck = createSessionCheck(openRaw)
  /** Tries each address once. */
  const tryAddresses = async <T>(attempt: () => Promise<T>): Promise<T> => {
    const reasons: string[] = []
    for (;;) {
      const tried = preferred
      try {
        return await attempt()
      } catch (error) {
        const { message } = error as Error
        if (message === ALL_IN_USE) throw busy(error)
        if ((error as pg.DatabaseError).code === TOO_MANY_CONNECTIONS)
          throw new StoreBusyError({ reason: 'the PostgreSQL server accepts no more connections', cause: error })
        if (error instanceof NotSessionModeError) throw error
        if (urls.length === 1) throw error
        if (preferred === tried) preferred = (tried + 1) % urls.length
        reasons.push(message)
        if (reasons.length === urls.length) throw new Error(reasons.join('; '), { cause: error })
      }
    }
  }
  const openPool = (
    {
      max,
      name = 'twinpool',
      turns = false,
      counts = true,
    }: { max: number; name?: string; turns?: boolean; counts?: boolean },
    session: Session,
  ): ConnectionPool & { usage(): PoolUsage } => {
    const options: pg.PoolConfig & { turns: boolean } = {
      ...config,
      max,
      turns,
      application_name: name,
      Client: Client as NonNullable<pg.PoolConfig['Client']>,
      onConnect: async (client) => {
        const pid = await prepareConnection(client, {
          session,
          sessionCheck,
          servers,
          serverClock,
          abandon: () => abandon(client, pid),
        })
        current = (client as unknown as Client).address
      },
    }
    const pool = new pg.Pool(options)
    /** An abandoned connection counts until the server has ended it. The pool reads `max` each time. */
    const abandon = (client: pg.ClientBase, pid: number): void => {
      if (!counts) return
      pool.options.max = (pool.options.max as number) - 1
      void abandoned.add(client, pid).then(() => {
        pool.options.max = (pool.options.max as number) + 1
        // The pool serves its queue when a connection is released.
        if (pool.waitingCount > 0)
          pool.connect().then(
            (free) => free.release(),
            () => {},
          )
      })
    }
    // The pool replaces a connection that breaks while idle; the next statement reports an error if there is one.
    pool.on('error', () => {})
    const connect = async (): Promise<pg.PoolClient> => {
      for (;;) {
        const client = await tryAddresses(() => pool.connect())
        if (servers.isCurrent(client)) return client
        client.release(true)
      }
    }
    return {
      connect,
      end: () => pool.end(),
      usage: () => ({
        used: pool.totalCount - pool.idleCount + max - (pool.options.max as number),
        limit: max,
        waiting: pool.waitingCount,
      }),
      options: {},
    }
  }

  const calls = openPool({ max: connections, turns: true }, bounded)
  const writes = createPermits({
    count: Math.max(1, Math.floor(connections * WRITING_SHARE)),
    milliseconds: connectMilliseconds,
    reason: reasonOfBusy,
  })
  /** Asks for the abandoned ones, so it cannot wait for their end. */
  const watch = openPool({ max: 1, name: 'twinpool-check', counts: false }, bounded)

  return {
    ...calls,
    writing: {
      options: {},
      end: async () => {},
      connect: async () => {
        const permit = await writes.take()
        try {
          const client = await calls.connect()
          const { release } = client
          client.release = (...args) => {
            const ending = abandoned.ending(client)
            if (ending) permit.holdUntil(ending)
            else permit.giveBack()
            release.apply(client, args)
          }
          return client
        } catch (error) {
          permit.giveBack()
          throw error
        }
      },
    },
    openUnbounded: () => openPool({ max: 1 }, unbounded),
    openLogPool: () => openPool({ max: LOG_CONNECTIONS, name: 'twinpool-log' }, bounded),
    openRelaxed: () => openPool({ max: 1, name: 'twinpool-apply' }, { ...bounded, synchronousCommit: 'off' }),
    end: async () => {
      abandoned.close()
      await Promise.all([calls.end(), watch.end()])
    },
    open: (applicationName) =>
      tryAddresses(async () => {
        const client = new Client({ ...config, application_name: applicationName })
        let pid: number
        try {
          await client.connect()
          pid = await prepareConnection(client, { session: bounded, sessionCheck, servers, serverClock })
          current = client.address
        } catch (error) {
          void disconnect(client)
          throw error
        }
        // A replaced primary may still run, while no other client can reach it.
        const leaveReplaced = (): void => {
          if (client.address !== current || !servers.isCurrent(client))
            socketOf(client).destroy(new Error('PostgreSQL has moved to another server'))
        }
        const heartbeat = setInterval(
          async () => {
            leaveReplaced()
            // The connection is otherwise idle, and the socket timeout needs traffic.
            try {
              const { row, sample } = await serverClock.sample(() =>
                client.query<{ pid: number; time: number }>(HEARTBEAT),
              )
              servers.responded(client)
              if (row.pid !== pid) socketOf(client).destroy(new NotSessionModeError())
              else if (servers.isCurrent(client)) serverClock.add(sample)
            } catch {
              // The connection ends, and reports it.
            }
          },
          Math.min(HEARTBEAT_MILLISECONDS, milliseconds / 2),
        )
        const unsubscribe = servers.onMoved(leaveReplaced)
        client.once('end', () => {
          clearInterval(heartbeat)
          unsubscribe()
        })
        return client
      }),
    servers,
    serverClock,
    isRefusal: (error) => shared.refusals.has(error as object),
  }
}

const HEARTBEAT = `select pg_backend_pid() as pid, ${SERVER_TIME} as time`

/** Far above the number of distinct statements; statements beyond the limit are planned each time. */
const MAX_NAMES = 1_000

/** Names prepared statements: one number per text. */
function createNames(): (text: string) => string | undefined {
  const names = new Map<string, string>()
  return (text) => {
    const known = names.get(text)
    if (known !== undefined || names.size >= MAX_NAMES) return known
    const name = `s${names.size}`
    names.set(text, name)
    return name
  }
}

/** State shared by all connections of a process. */
interface SharedState {
  nameOf(text: string): string | undefined
  turns: Turns
  /** Errors of refused pipelined statements: their transactions have certainly not been committed. */
  refusals: WeakSet<object>
}

/** Pipelined statements are sent when they exceed this size, so that the server can begin with them. */
const MAX_BUFFERED_BYTES = 64 * 1024

/**
 * Replaces `client.query` with prepared and pipelined statements:
 *
 * Every statement with parameters is prepared: planning takes the server longer than running most of ours. That is possible
 * because no external pooler shares the connections (see lead).
 *
 * BEGIN and the PIPELINED statements of a transaction are sent together with the next statement (or when they exceed
 * MAX_BUFFERED_BYTES), without waiting for their results. The server runs the statements in order. If it refuses one, it refuses
 * all later ones, so the error surfaces at the next awaited statement, at the latest at COMMIT.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 *
 * `turns`: transactions whose responses arrive at the same time (one flush of the disk commits many) resume a few at a time, so
 * that the change feed does not wait for all of them.
 */
function pipelineStatements(
  client: pg.Client,
  { nameOf, turns, refusals }: SharedState,
  options: { turns: boolean },
): void {
  const query = client.query.bind(client) as (...call: unknown[]) => Promise<pg.QueryResult>
  const send = (text: unknown, values: unknown, ...rest: unknown[]): Promise<pg.QueryResult> =>
    typeof text === 'string' && Array.isArray(values) && values.length > 0
      ? query({ name: nameOf(text), text, values }, ...rest)
      : query(text, values, ...rest)
  /** The outcomes (error or undefined) of this transaction's pipelined statements; undefined outside a transaction. */
  let pipelined: Promise<unknown>[] | undefined
  let corked = false

  const uncork = (): void => {
    if (corked) socketOf(client).uncork()
    corked = false
  }
  const sendPipelined = (text: string, values: unknown): Promise<pg.QueryResult> => {
    if (!corked) socketOf(client).cork()
    corked = true
    pipelined?.push(
      send(text, values).then(
        () => undefined,
        (error: unknown) => error,
      ),
    )
    if (socketOf(client).writableLength > MAX_BUFFERED_BYTES) uncork()
    return NO_RESULT
  }
  const sendAndWait = async (text: string, values: unknown): Promise<pg.QueryResult> => {
    const before = pipelined ?? []
    const ends = text === 'commit' || text === 'rollback'
    if (ends) pipelined = undefined
    const sent = send(text, values)
    uncork()
    const result = await sent.catch((error: unknown) => error as Error)
    if (options.turns) await turns.take()
    const failed = result instanceof Error
    if ((failed || result.command === 'ROLLBACK') && text !== 'rollback') {
      const failure = (await Promise.all(before)).find((error) => error !== undefined)
      if (failure instanceof pg.DatabaseError) refusals.add(failure)
      if (failure !== undefined) throw failure
    }
    if (failed) throw result
    return result
  }
  const route = (text: unknown, values: unknown, ...rest: unknown[]): unknown => {
    if (text === 'begin') {
      pipelined = []
      return sendPipelined(text, values)
    }
    // Kysely rolls back after a failed commit. The transaction has ended already, and an error here would hide the cause.
    if (!pipelined && text === 'rollback') return NO_RESULT
    if (!pipelined || typeof text !== 'string') return send(text, values, ...rest)
    return text.startsWith(PIPELINED_MARK) ? sendPipelined(text, values) : sendAndWait(text, values)
  }
  client.query = route as typeof client.query
}

const NO_RESULT: Promise<pg.QueryResult> = Promise.resolve({
  command: '',
  rowCount: null,
  oid: 0,
  rows: [],
  fields: [],
})

/** Error message of pg-pool when no connection became free in time. */
const ALL_IN_USE = 'timeout exceeded when trying to connect'

/** Closes a connection; destroys its socket if the server does not close it in time. */
export async function disconnect(client: pg.Client): Promise<void> {
  const timer = setTimeout(() => socketOf(client).destroy(), DISCONNECT_MILLISECONDS)
  await client.end().catch(() => {})
  clearTimeout(timer)
}

/** Settings of a connection. Times in milliseconds; 0: none. */
interface Session {
  /** The connection is closed when it receives nothing for this time. */
  socketTimeout: number
  statementTimeout: number
  synchronousCommit: 'on' | 'off'
}

/**
 * Applies the settings of a new connection, and checks that the server accepts writes. Returns the pid of its server process. The
 * settings are not startup parameters, because PgBouncer refuses those. `abandon` is called before the connection is closed
 * because the server has not responded.
 */
async function prepareConnection(
  client: pg.ClientBase,
  {
    session,
    sessionCheck,
    servers,
    serverClock,
    abandon,
  }: {
    session: Session
    sessionCheck: SessionCheck
    servers: Servers
    serverClock: ServerClock
    abandon?: () => void
  },
): Promise<number> {
  const { socketTimeout, statementTimeout, synchronousCommit } = session
  const socket = socketOf(client)
  const silence = socketTimeout || MAX_CONNECT_MILLISECONDS
  let pid: number | undefined
  socket.setTimeout(silence, () => {
    if (pid !== undefined) abandon?.()
    socket.destroy(new Error(`PostgreSQL has not responded for ${silence / 1_000} s`))
  })
  wireOf(client).on('errorMessage', ({ code }: { code?: string }) => {
    if (code === READ_ONLY) socket.destroy(new StandbyError())
  })
  const { row, sample } = await serverClock.sample(() =>
    client.query<{ readonly: string; pid: number; time: number }>(
      `select set_config('synchronous_commit', $1, false), set_config('statement_timeout', $2, false),
        set_config('idle_in_transaction_session_timeout', $3, false),
        set_config('default_transaction_isolation', 'read committed', false),
        current_setting('transaction_read_only') as readonly, pg_backend_pid() as pid, ${SERVER_TIME} as time`,
      [synchronousCommit, String(statementTimeout), String(socketTimeout)],
    ),
  )
  if (row.readonly === 'on') throw new StandbyError()
  await sessionCheck(client, row.pid)
  await servers.admit(client)
  // Not earlier: the clock of a standby, or of a replaced server, does not count.
  serverClock.addFirst(sample)
  if (socketTimeout === 0) socket.setTimeout(0)
  pid = row.pid
  return pid
}

interface Wire {
  stream: Socket
  on(event: 'errorMessage', listener: (message: { code?: string }) => void): unknown
}

/** Members of pg without a public type. */
const wireOf = (client: pg.ClientBase): Wire => (client as unknown as { connection: Wire }).connection
const socketOf = (client: pg.ClientBase): Socket => wireOf(client).stream

/** One URL per address. https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS */
function addressesOf(url: string): string[] {
  const [, front = '', addresses = '', rest = ''] = /^(\w+:\/\/(?:[^/?#]*@)?)([^/?#]*)(.*)$/.exec(url) ?? []
  return addresses.split(',').map((address) => front + address + rest)
}

/** admin_shutdown, crash_shutdown, cannot_connect_now; connection exceptions. */
const LOST_STATES = /^(57P0[123]|08...)$/
const LOST_SOCKET = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED'])
const LOST_WORDS = /^(Connection terminated|Client has encountered a connection error)/

/** Whether a statement failed because its connection was lost, so that a retry on another connection may succeed. */
export function isLost(error: unknown): boolean {
  const { code = '', message } = error as { code?: string; message: string }
  return code === READ_ONLY || LOST_STATES.test(code) || LOST_SOCKET.has(code) || LOST_WORDS.test(message)
}
