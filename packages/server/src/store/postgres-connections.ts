import type { Socket } from 'node:net'
import pg from 'pg'
import { StoreBusyError, TOLD_WORD } from './database.ts'
import { createTurns, type Turns } from './turns.ts'

/** The connections of one process to its PostgreSQL. None of them waits for ever. */
export interface Connections extends ConnectionPool {
  /** A pool of one connection whose statements may take as long as they take. */
  openUnhurried(): ConnectionPool
  /** A pool beside the one of the calls: who uses it never waits behind them. */
  openAside(): ConnectionPool
  /** A pool of one connection, whose transactions end before they are on the disk. */
  openRelaxed(): ConnectionPool
  /** A connection of its own, outside the pool, that stays until it is lost; to be ended with `part`. */
  open(applicationName: string): Promise<pg.Client>
  /** Whether the server refused a statement of a transaction, so that the commit that was sent after it did nothing. */
  isRefusal(error: unknown): boolean
}

export interface ConnectionPool {
  /** A connection that is to be released. */
  connect(): Promise<pg.PoolClient>
  end(): Promise<void>
  /** The query builder asks for them; ours are in the connections already. */
  readonly options: object
}

export interface ConnectionSettings {
  connections?: number | undefined
  /** How long a statement may take. A connection on which nothing comes for a little longer is given up. */
  statementSeconds?: number | undefined
}

const CONNECTIONS = 16
const ASIDE = 2
const STATEMENT_SECONDS = 15
const MOST_CONNECT_MILLISECONDS = 10_000
/** The server's own limit comes first where there is a server. */
const GRACE_MILLISECONDS = 1_000
const PARTING_MILLISECONDS = 1_000
/** Of connections that stay. */
const HEARTBEAT_MILLISECONDS = 1_000
/** A server that is gone without a word is not heard of; by default TCP would ask after two hours. */
const KEEP_ALIVE_MILLISECONDS = 5_000
const INT8 = 20
/** https://www.postgresql.org/docs/current/errcodes-appendix.html: read_only_sql_transaction. */
const READ_ONLY = '25006'

/** The server takes no writes: a standby, or a primary that has become one. Another address may have the primary. */
export class StandbyError extends Error {
  constructor() {
    super('this PostgreSQL takes no writes: it is a standby, or read-only')
    this.name = 'StandbyError'
  }
}

/**
 * @param url as libpq reads it: with several addresses (`host1:5432,host2:5432`) the one that takes writes is used, and
 * looked for again when it is lost
 */
export function openConnections(url: string, settings: ConnectionSettings = {}): Connections {
  const { connections = CONNECTIONS, statementSeconds = STATEMENT_SECONDS } = settings
  const milliseconds = statementSeconds * 1_000
  const silence = milliseconds + GRACE_MILLISECONDS
  const urls = addressesOf(url)
  const speech: Speech = { nameOf: createNames(), turns: createTurns(), refusals: new WeakSet() }
  let preferred = 0
  /** Where the newest connection leads. */
  let current = 0

  const lasting: pg.ClientConfig = {
    pipeline: true,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MILLISECONDS,
    connectionTimeoutMillis: Math.min(MOST_CONNECT_MILLISECONDS, milliseconds),
    types: { getTypeParser: (id, format) => (id === INT8 ? Number : pg.types.getTypeParser(id, format)) },
    options: optionsOf({ synchronousCommit: 'on' }),
  }
  const bounded: pg.ClientConfig = {
    ...lasting,
    statement_timeout: milliseconds,
    idle_in_transaction_session_timeout: silence,
  }
  /** Goes to the address that is preferred when it is made. */
  class Client extends pg.Client {
    readonly address = preferred
    constructor(config?: pg.ClientConfig & { turns?: boolean }) {
      super({ ...config, connectionString: urls[preferred] })
      // One that breaks between two statements of a transaction would end the process; the next statement says what is wrong.
      this.on('error', () => {})
      speak(this, speech, { turns: config?.turns ?? false })
    }
  }
  /** Tries each address once. */
  const anywhere = async <T>(attempt: () => Promise<T>): Promise<T> => {
    const reasons: string[] = []
    for (;;) {
      const tried = preferred
      try {
        return await attempt()
      } catch (error) {
        const { message } = error as Error
        if (message === ALL_TAKEN) throw new StoreBusyError({ cause: error })
        if (urls.length === 1) throw error
        if (preferred === tried) preferred = (tried + 1) % urls.length
        reasons.push(message)
        if (reasons.length === urls.length) throw new Error(reasons.join('; '), { cause: error })
      }
    }
  }
  const openPool = (config: pg.PoolConfig & { turns?: boolean }, mostSilence: number): ConnectionPool => {
    const pool = new pg.Pool({
      application_name: 'twinpool',
      ...config,
      Client: Client as NonNullable<pg.PoolConfig['Client']>,
      onConnect: async (client) => {
        await welcome(client, mostSilence)
        current = (client as unknown as Client).address
      },
    })
    // A connection that breaks while idle is replaced by the pool; the next statement says what is wrong.
    pool.on('error', () => {})
    return { connect: () => anywhere(() => pool.connect()), end: () => pool.end(), options: {} }
  }

  return {
    ...openPool({ ...bounded, max: connections, turns: true }, silence),
    openUnhurried: () => openPool({ ...lasting, max: 1 }, 0),
    openAside: () => openPool({ ...bounded, max: ASIDE, application_name: 'twinpool-log' }, silence),
    openRelaxed: () => {
      const options = optionsOf({ synchronousCommit: 'off' })
      return openPool({ ...bounded, max: 1, application_name: 'twinpool-apply', options }, silence)
    },
    open: (applicationName) =>
      anywhere(async () => {
        const client = new Client({ ...bounded, application_name: applicationName })
        try {
          await client.connect()
          await welcome(client, silence)
          current = client.address
        } catch (error) {
          void part(client)
          throw error
        }
        const heartbeat = setInterval(
          () => {
            // A primary that was replaced may live on, unreachable for everyone else.
            if (client.address !== current) socketOf(client).destroy(new Error('PostgreSQL is elsewhere now'))
            // Nothing else is said on it while all is well, and then silence would be no sign.
            else void client.query('select 1').catch(() => {})
          },
          Math.min(HEARTBEAT_MILLISECONDS, milliseconds / 2),
        )
        client.once('end', () => clearInterval(heartbeat))
        return client
      }),
    isRefusal: (error) => speech.refusals.has(error as object),
  }
}

const optionsOf = ({ synchronousCommit }: { synchronousCommit: 'on' | 'off' }): string =>
  `-c synchronous_commit=${synchronousCommit} -c default_transaction_isolation=read\\ committed`

/** Far more than there are texts; should somebody make texts by the thousand, those are planned each time. */
const MOST_NAMES = 1_000

/** Gives a statement its name: a number for each text. */
function createNames(): (text: string) => string | undefined {
  const names = new Map<string, string>()
  return (text) => {
    const known = names.get(text)
    if (known !== undefined || names.size >= MOST_NAMES) return known
    const name = `s${names.size}`
    names.set(text, name)
    return name
  }
}

/** What the connections of one process share. */
interface Speech {
  nameOf(text: string): string | undefined
  turns: Turns
  /** Refusals of statements that were told: their transaction has not been committed, whatever else is unknown. */
  refusals: WeakSet<object>
}

/** What is told waits for no more than this: the server may as well begin with it. */
const MOST_HELD_BYTES = 64 * 1024

/**
 * How we speak with the server on a connection:
 *
 * The plan of every statement that has parameters is kept: making it takes the server longer than most of ours take to run. The
 * connections are not shared through a pooler (see lead).
 *
 * A statement of a transaction that is TOLD, and its BEGIN, are sent together with the next one (or as soon as they are
 * many), and nobody waits for their answers. The server runs them one after the other, as it would have; what it refused
 * comes out at the next one that is asked, which it refuses too, at the latest at COMMIT.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 *
 * `turns`: transactions that are answered at once (all that waited for the disk are) go on a few at a time, and what is told to the
 * other regions meanwhile does not wait for all of them.
 */
function speak(client: pg.Client, { nameOf, turns, refusals }: Speech, takes: { turns: boolean }): void {
  const query = client.query.bind(client) as (...call: unknown[]) => Promise<pg.QueryResult>
  const send = (text: unknown, values: unknown, ...rest: unknown[]): Promise<pg.QueryResult> =>
    typeof text === 'string' && Array.isArray(values) && values.length > 0
      ? query({ name: nameOf(text), text, values }, ...rest)
      : query(text, values, ...rest)
  /** What became of the statements that this transaction has told; undefined outside of one. */
  let told: Promise<unknown>[] | undefined
  let held = false

  const release = (): void => {
    if (held) socketOf(client).uncork()
    held = false
  }
  const tell = (text: string, values: unknown): Promise<pg.QueryResult> => {
    if (!held) socketOf(client).cork()
    held = true
    told?.push(
      send(text, values).then(
        () => undefined,
        (error: unknown) => error,
      ),
    )
    if (socketOf(client).writableLength > MOST_HELD_BYTES) release()
    return NOTHING
  }
  const ask = async (text: string, values: unknown): Promise<pg.QueryResult> => {
    const before = told ?? []
    const ends = text === 'commit' || text === 'rollback'
    if (ends) told = undefined
    const asked = send(text, values)
    release()
    const result = await asked.catch((error: unknown) => error as Error)
    if (takes.turns) await turns.take()
    const failed = result instanceof Error
    if ((failed || result.command === 'ROLLBACK') && text !== 'rollback') {
      const failure = (await Promise.all(before)).find((error) => error !== undefined)
      if (failure instanceof pg.DatabaseError) refusals.add(failure)
      if (failure !== undefined) throw failure
    }
    if (failed) throw result
    return result
  }
  const speaking = (text: unknown, values: unknown, ...rest: unknown[]): unknown => {
    if (text === 'begin') {
      told = []
      return tell(text, values)
    }
    // Kysely rolls back what could not be committed; that is over already, and asking again would only hide why.
    if (!told && text === 'rollback') return NOTHING
    if (!told || typeof text !== 'string') return send(text, values, ...rest)
    return text.startsWith(TOLD_WORD) ? tell(text, values) : ask(text, values)
  }
  client.query = speaking as typeof client.query
}

const NOTHING: Promise<pg.QueryResult> = Promise.resolve({ command: '', rowCount: null, oid: 0, rows: [], fields: [] })

/** What pg-pool says when no connection became free in time. */
const ALL_TAKEN = 'timeout exceeded when trying to connect'

/** Ends a connection; one whose server does not say goodbye is cut. */
export async function part(client: pg.Client): Promise<void> {
  const cut = setTimeout(() => socketOf(client).destroy(), PARTING_MILLISECONDS)
  await client.end().catch(() => {})
  clearTimeout(cut)
}

/** Holds a new connection to its bounds (milliseconds without a word; 0: no bound), and looks whether it leads to a server that can be used. */
async function welcome(client: pg.ClientBase, silence: number): Promise<void> {
  const socket = socketOf(client)
  socket.setTimeout(silence, () => socket.destroy(new Error(`PostgreSQL has said nothing for ${silence / 1_000} s`)))
  wireOf(client).on('errorMessage', ({ code }: { code?: string }) => {
    if (code === READ_ONLY) socket.destroy(new StandbyError())
  })
  const { rows } = await client.query<{ readonly: string }>(
    `select current_setting('transaction_read_only') as readonly`,
  )
  if (rows[0]?.readonly === 'on') throw new StandbyError()
}

interface Wire {
  stream: Socket
  on(event: 'errorMessage', heard: (message: { code?: string }) => void): unknown
}

/** What pg has no public name for. */
const wireOf = (client: pg.ClientBase): Wire => (client as unknown as { connection: Wire }).connection
const socketOf = (client: pg.ClientBase): Socket => wireOf(client).stream

/** One URL per address. https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS */
export function addressesOf(url: string): string[] {
  const [, front = '', addresses = '', rest = ''] = /^(\w+:\/\/(?:[^/?#]*@)?)([^/?#]*)(.*)$/.exec(url) ?? []
  return addresses.split(',').map((address) => front + address + rest)
}

/** admin_shutdown, crash_shutdown, cannot_connect_now; connection exceptions. */
const LOST_STATES = /^(57P0[123]|08...)$/
const LOST_SOCKET = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED'])
const LOST_WORDS = /^(Connection terminated|Client has encountered a connection error)/

/** Whether a statement failed because its connection did, so that it may do better on another one. */
export function isLost(error: unknown): boolean {
  const { code = '', message } = error as { code?: string; message: string }
  return code === READ_ONLY || LOST_STATES.test(code) || LOST_SOCKET.has(code) || LOST_WORDS.test(message)
}
