import { systemClock } from '../clock.ts'

/**
 * Connections that this process has closed while the server still keeps them. A server process does not notice a closed
 * connection while its commit waits for a synchronous standby, or its statement for a lock. Were such connections replaced at
 * once, a standby that does not respond would use up all connections of the server.
 */
export interface AbandonedConnections {
  /** Resolves once the server has ended the connection; polls the server until then. */
  add(connection: object, pid: number): Promise<void>
  /** The promise of `add`; undefined for a connection that was not abandoned. */
  ending(connection: object): Promise<void> | undefined
  count(): number
  /** Whether the server's last response reported that some of them wait for a synchronous standby. */
  waitForStandby(): boolean
  close(): void
}

/** A server process, as reported by pg_stat_activity. */
export interface ServerProcess {
  pid: number
  /** Seconds since the process was started. */
  age: number
  /** Whether its commit waits for a synchronous standby. */
  waitsForStandby: boolean
}

/** Finds Twinpool's server processes with these pids. */
export const FIND_PROCESSES = `
  select pid, extract(epoch from clock_timestamp() - backend_start)::float8 as age,
    coalesce(wait_event = 'SyncRep', false) as "waitsForStandby"
  from pg_stat_activity where pid = any($1) and application_name like 'twinpool%'`

const POLL_MILLISECONDS = 500

export function createAbandonedConnections({
  find,
  wait = systemClock.wait,
  monotonic = systemClock.monotonic,
}: {
  find(pids: readonly number[]): Promise<readonly ServerProcess[]>
  wait?: (milliseconds: number) => Promise<unknown>
  monotonic?: () => number
}): AbandonedConnections {
  const waiting = new Map<object, { pid: number; since: number; resolve(): void }>()
  const endings = new WeakMap<object, Promise<void>>()
  let waitForStandby = false
  let polling = false
  let closed = false

  const poll = async (): Promise<void> => {
    const asked = [...waiting]
    const processes = await find(asked.map(([, { pid }]) => pid))
    waitForStandby = processes.some(({ waitsForStandby }) => waitsForStandby)
    for (const [connection, { pid, since, resolve }] of asked) {
      const process = processes.find((found) => found.pid === pid)
      // A younger process has been given the pid of the ended one.
      const isRunning = process !== undefined && process.age * 1_000 >= monotonic() - since
      if (isRunning) continue
      waiting.delete(connection)
      resolve()
    }
  }
  const pollUntilAllEnded = async (): Promise<void> => {
    if (polling) return
    polling = true
    while (waiting.size > 0 && !closed) {
      await wait(POLL_MILLISECONDS)
      // A server that does not respond has not ended them either.
      if (!closed) await poll().catch(() => {})
    }
    waitForStandby = false
    polling = false
  }

  return {
    add: (connection, pid) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.set(connection, { pid, since: monotonic(), resolve })
      endings.set(connection, promise)
      void pollUntilAllEnded()
      return promise
    },
    ending: (connection) => endings.get(connection),
    count: () => waiting.size,
    waitForStandby: () => waitForStandby,
    close: () => {
      closed = true
    },
  }
}
