/** Two PostgreSQL servers: a primary and its standby, which can be detached, promoted, and attached again the other way round. */
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { type Postgres, startPostgres } from 'twinpool/internal/postgres/start'
import { freePorts, until } from './regions.ts'

export interface PostgresPair {
  /** The ports of both servers, which never change. */
  readonly ports: readonly [number, number]
  /** The port of the present primary. */
  readonly primaryPort: number
  /** The URL of a database with the address of a server. */
  urlOf(database: string, port: number): string
  createDatabase(name: string): Promise<void>
  query<R extends pg.QueryResultRow>(port: number, statement: string): Promise<R[]>
  /** Makes the other server a new standby of the primary. Resolves once it receives the primary's transactions. */
  attach(): Promise<void>
  /** The standby receives no transaction any more. */
  detach(): Promise<void>
  /** Ends a server, by default the primary, as a crash does. */
  kill(port?: number): Promise<void>
  /** Makes the standby the primary. Resolves once it accepts writes. */
  promote(): Promise<void>
  stop(): Promise<void>
}

export async function startPostgresPair(): Promise<PostgresPair> {
  const home = mkdtempSync(join(tmpdir(), 'twinpool-pair-'))
  // PostgreSQL may run as another user, which needs access to the directory.
  chmodSync(home, 0o755)
  const ports = (await freePorts(2)) as [number, number]
  const directoryOf = (port: number): string => join(home, String(port))
  const start = (port: number): Promise<Postgres> =>
    startPostgres({ directory: directoryOf(port), port, settings: { wal_keep_size: '256MB' } })
  const running = new Map<number, Postgres>()
  let [primaryPort, standbyPort] = ports
  running.set(primaryPort, await start(primaryPort))
  const superuser = new URL((running.get(primaryPort) as Postgres).url)

  const urlOf = (database: string, port: number): string => {
    const url = new URL(superuser)
    url.port = String(port)
    url.pathname = `/${database}`
    return url.href
  }
  const query = async <R extends pg.QueryResultRow>(port: number, statement: string): Promise<R[]> => {
    const client = new pg.Client({ connectionString: urlOf('postgres', port) })
    await client.connect()
    try {
      return (await client.query<R>(statement)).rows
    } finally {
      await client.end()
    }
  }
  const stopAt = async (port: number): Promise<void> => {
    await running.get(port)?.stop()
    running.delete(port)
  }
  const isReceiving = async (): Promise<boolean> =>
    (await query(primaryPort, `select 1 as one from pg_stat_replication where state = 'streaming'`)).length > 0

  return {
    ports,
    get primaryPort() {
      return primaryPort
    },
    urlOf,
    query,
    createDatabase: async (name) => void (await running.get(primaryPort)?.createDatabase(name)),
    attach: async () => {
      await stopAt(standbyPort)
      await stopAt(primaryPort)
      rmSync(directoryOf(standbyPort), { recursive: true, force: true })
      copyAsStandby({ from: directoryOf(primaryPort), to: directoryOf(standbyPort), upstream: urlOf('', primaryPort) })
      running.set(primaryPort, await start(primaryPort))
      running.set(standbyPort, await start(standbyPort))
      await until(isReceiving, { what: 'the standby' })
    },
    detach: async () => {
      await query(standbyPort, `alter system set primary_conninfo = ''`)
      await query(standbyPort, 'select pg_reload_conf()')
      await until(async () => !(await isReceiving()), { what: 'the end of the stream to the standby' })
    },
    kill: async (port = primaryPort) => {
      const file = readFileSync(join(directoryOf(port), 'data', 'postmaster.pid'), 'utf8')
      process.kill(Number.parseInt(file, 10), 'SIGQUIT')
      await stopAt(port)
    },
    promote: async () => {
      await query(standbyPort, 'select pg_promote()')
      ;[primaryPort, standbyPort] = [standbyPort, primaryPort]
    },
    stop: async () => {
      for (const port of ports) await stopAt(port)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** Copies the directory of a server that is stopped, as that of a standby. */
export function copyAsStandby({ from, to, upstream }: { from: string; to: string; upstream: string }): void {
  execFileSync('cp', ['-a', from, to])
  const { hostname, port, username, password } = new URL(upstream)
  const connection = `host=${hostname} port=${port} user=${username} password=${password}`
  writeFileSync(join(to, 'data', 'postgresql.auto.conf'), `primary_conninfo = '${connection}'\n`, { flag: 'a' })
  // Any file that the server's user owns.
  copyFileSync(join(to, 'data', 'PG_VERSION'), join(to, 'data', 'standby.signal'))
}
