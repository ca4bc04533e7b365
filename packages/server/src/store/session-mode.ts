import type pg from 'pg'

/** The regions' locks, notifications and prepared statements belong to a session, so each connection needs one of its own. */
export class NotSessionModeError extends Error {
  constructor(options?: ErrorOptions) {
    super(
      'a pooler between Twinpool and PostgreSQL shares sessions: use its session mode (PgBouncer: pool_mode=session, and a default_pool_size above the connections of all processes), or connect to PostgreSQL itself',
      options,
    )
    this.name = 'NotSessionModeError'
  }
}

/** Checks a new connection, whose statement reported this pid. Throws NotSessionModeError. */
export type SessionCheck = (client: pg.ClientBase, pid: number) => Promise<void>

const ROUNDS = 3
const MILLISECONDS = 5_000
const PID = 'select pg_backend_pid() as pid'

/**
 * A pooler gives its clients another pid than the one of the server process. In transaction mode, it also gives the server process
 * of a connection to another connection in between: that is tried once per process, with two connections of `open`.
 * https://www.pgbouncer.org/features.html
 */
export function createSessionCheck(open: () => Promise<pg.Client>): SessionCheck {
  let checked: Promise<void> | undefined
  return async (client, pid) => {
    if ((client as unknown as { processID: number | null }).processID === pid) return
    checked ??= checkPooler(open)
    try {
      await checked
    } catch (error) {
      checked = undefined
      throw error
    }
  }
}

async function checkPooler(open: () => Promise<pg.Client>): Promise<void> {
  const clients: pg.Client[] = []
  const { promise: tooLate, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new NotSessionModeError()), MILLISECONDS)
  const attempt = async (): Promise<void> => {
    const [one, other] = [await open(), await open()]
    clients.push(one, other)
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = await pidOf(one)
      // The pooler prefers the server process that became free last: that of the first connection.
      await other.query('start transaction')
      const after = await pidOf(one)
      await other.query('abort')
      if (after !== before) throw new NotSessionModeError()
    }
  }
  try {
    await Promise.race([attempt(), tooLate])
  } finally {
    clearTimeout(timer)
    for (const client of clients) void client.end().catch(() => {})
  }
}

const pidOf = async (client: pg.Client): Promise<number | undefined> => (await client.query(PID)).rows[0]?.pid
