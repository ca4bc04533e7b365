/** Two PostgreSQL servers: a primary and its standby, which can be detached, promoted, and attached again the other way round. */
import { execFile, execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
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
  /** Like `attach`, while the primary serves. Its commits wait for the new standby from then on. */
  attachOnline(): Promise<void>
  /** Resolves once the standby has everything that the primary had at the call. */
  caughtUp(): Promise<void>
  /** The standby receives no transaction any more, and no commit waits for it. */
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
  /** Whether commits of the primary wait for its standby. */
  const setSynchronous = async (on: boolean): Promise<void> => {
    await query(primaryPort, `alter system set synchronous_standby_names = '${on ? '*' : ''}'`)
    await query(primaryPort, 'select pg_reload_conf()')
  }
  const caughtUp = async (): Promise<void> => {
    const [row] = await query<{ lsn: string }>(primaryPort, 'select pg_current_wal_insert_lsn() as lsn')
    const received = `select 1 as one from pg_stat_replication where flush_lsn >= '${row?.lsn}'`
    await until(async () => (await query(primaryPort, received)).length > 0, { what: 'the standby to catch up' })
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
    attachOnline: async () => {
      await stopAt(standbyPort)
      rmSync(directoryOf(standbyPort), { recursive: true, force: true })
      await copyRunning({
        from: directoryOf(primaryPort),
        to: directoryOf(standbyPort),
        upstream: urlOf('postgres', primaryPort),
      })
      running.set(standbyPort, await start(standbyPort))
      await until(isReceiving, { what: 'the standby' })
      await setSynchronous(true)
      const isSynchronous = `select 1 as one from pg_stat_replication where sync_state = 'sync'`
      await until(async () => (await query(primaryPort, isSynchronous)).length > 0, { what: 'a synchronous standby' })
    },
    caughtUp,
    detach: async () => {
      await setSynchronous(false)
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
export function copyAsStandby({ from, to, upstream }: StandbyCopy): void {
  execFileSync('cp', ['-a', from, to])
  makeStandby(to, upstream)
}

/**
 * The same for a server that runs: a base backup with the functions of SQL, because the packaged PostgreSQL has no `pg_basebackup`.
 * https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
 */
async function copyRunning({ from, to, upstream }: StandbyCopy): Promise<void> {
  const client = new pg.Client({ connectionString: upstream })
  await client.connect()
  try {
    await client.query(`select pg_backup_start('standby', true)`)
    const data = join(to, 'data')
    const { uid, gid } = statSync(join(from, 'data'))
    // Not the log, which the standby fetches.
    for (const path of [to, data, join(data, 'pg_wal')]) {
      mkdirSync(path, { mode: 0o700 })
      chownSync(path, uid, gid)
    }
    const names = readdirSync(join(from, 'data')).filter((name) => name !== 'pg_wal' && name !== 'postmaster.pid')
    const paths = names.map((name) => join(from, 'data', name))
    // Files that vanish while they are copied are in the log.
    await promisify(execFile)('cp', ['-a', ...paths, data]).catch((error: Error & { stderr: string }) => {
      if (!/^(cp: [^\n]*No such file or directory\n)+$/.test(error.stderr)) throw error
    })
    const { rows } = await client.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)')
    makeStandby(to, upstream)
    const label = join(data, 'backup_label')
    writeFileSync(label, rows[0]?.labelfile as string)
    chownSync(label, uid, gid)
  } finally {
    await client.end()
  }
}

interface StandbyCopy {
  from: string
  to: string
  upstream: string
}

function makeStandby(directory: string, upstream: string): void {
  const { hostname, port, username, password } = new URL(upstream)
  const connection = `host=${hostname} port=${port} user=${username} password=${password}`
  writeFileSync(join(directory, 'data', 'postgresql.auto.conf'), `primary_conninfo = '${connection}'\n`, { flag: 'a' })
  // Any file that the server's user owns.
  copyFileSync(join(directory, 'data', 'PG_VERSION'), join(directory, 'data', 'standby.signal'))
}
