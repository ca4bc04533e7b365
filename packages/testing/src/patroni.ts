/**
 * Two PostgreSQL servers under Patroni with etcd, in asynchronous mode. A member receives the transactions of the other one through
 * a proxy that can be cut, while clients reach both directly.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { type LinkProxy, startLinkProxy } from 'twinpool/internal/link-proxy'
import { isServerOf, postmasterPid } from 'twinpool/internal/postgres/data-directory'
import { giveTo } from 'twinpool/internal/postgres/home'
import { systemBinaries } from 'twinpool/internal/postgres/installation'
import { type OsUser, unprivilegedUser } from 'twinpool/internal/postgres/os-user'
import { type DebianTools, debianTools } from './debian.ts'
import type { PostgresPair } from './postgres-pair.ts'
import { freePorts, until } from './regions.ts'

/** A member that was killed rejoins after the promotion: `pg_rewind` removes the transactions that only it has. */
export interface PatroniPair extends Omit<PostgresPair, 'attachOnline' | 'caughtUp'> {
  /** The ports of Patroni's REST API, in the order of `ports`. */
  readonly restPorts: readonly [number, number]
}

export const patroniTools = (): Promise<DebianTools | string> =>
  debianTools(['etcd-server', 'patroni', 'postgresql', 'python3-etcd', 'python3-psycopg2'])

/**
 * Seconds. A leader that has not renewed its key for `ttl` is replaced. Far below the defaults (30, 10, 10), but above the pauses of a
 * busy machine.
 */
const TIMES = { ttl: 8, loop_wait: 1, retry_timeout: 3 }
const SETTLED = { seconds: 60 }

interface Member {
  port: number
  restPort: number
  data: string
  config: string
  /** The other member, and Patroni itself for `pg_rewind`, connect to this port. */
  link: LinkProxy
  process?: ChildProcess
}

export async function startPatroniPair(tools: DebianTools): Promise<PatroniPair> {
  const home = mkdtempSync(join(tmpdir(), 'twinpool-patroni-'))
  chmodSync(home, 0o755)
  const user = await unprivilegedUser(undefined)
  const logFile = join(home, 'log')
  const output = openSync(logFile, 'a')
  const launch = (program: string, args: string[], as?: OsUser): ChildProcess =>
    // The program ends with this process, and Patroni then stops its PostgreSQL.
    spawn('setpriv', [...identityOf(as), '--pdeathsig=TERM', program, ...args], {
      env: { ...tools.env, LC_ALL: 'C.UTF-8', TZ: 'UTC' },
      cwd: '/',
      detached: true,
      stdio: ['ignore', output, output],
    })

  const [etcdPort, etcdPeerPort, ...memberPorts] = (await freePorts(6)) as [number, number, ...number[]]
  const etcdUrl = `http://127.0.0.1:${etcdPort}`
  const etcd = launch('etcd', [
    `--data-dir=${join(home, 'etcd')}`,
    `--listen-client-urls=${etcdUrl}`,
    `--advertise-client-urls=${etcdUrl}`,
    `--listen-peer-urls=http://127.0.0.1:${etcdPeerPort}`,
    '--unsafe-no-fsync',
  ])
  const password = randomBytes(16).toString('hex')
  const createMember = async (at: number): Promise<Member> => {
    const [port, restPort] = memberPorts.slice(2 * at) as [number, number]
    const folder = join(home, `member-${at}`)
    mkdirSync(folder)
    await giveTo(folder, user)
    const member = {
      port,
      restPort,
      data: join(folder, 'data'),
      config: join(folder, 'patroni.yml'),
      link: await startLinkProxy({ targetPort: port }),
    }
    // JSON is YAML.
    const text = JSON.stringify(configOf(member, { folder, at, etcdPort, password, bin: await binariesOf(tools) }))
    writeFileSync(member.config, text)
    return member
  }
  const members = [await createMember(0), await createMember(1)] as [Member, Member]
  let [primary, standby] = members

  const urlOf = (database: string, port: number): string =>
    `postgres://postgres:${password}@127.0.0.1:${port}/${database}`
  const query = async <R extends pg.QueryResultRow>(port: number, statement: string): Promise<R[]> => {
    const client = new pg.Client({ connectionString: urlOf('postgres', port) })
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query<R>(statement)).rows
    } finally {
      await client.end()
    }
  }
  const start = (member: Member): void => {
    if (!member.process) member.process = launch('patroni', [member.config], user)
  }
  const isPrimary = ({ restPort }: Member): Promise<boolean> =>
    fetch(`http://127.0.0.1:${restPort}/primary`).then(
      ({ ok }) => ok,
      () => false,
    )
  const isReceiving = async (): Promise<boolean> =>
    (await query(primary.port, `select 1 as one from pg_stat_replication where state = 'streaming'`)).length > 0
  const waitFor = async (condition: () => Promise<boolean>, what: string): Promise<void> => {
    await until(condition, { ...SETTLED, what }).catch((error: Error) => {
      throw new Error(`${error.message}\n${log().slice(-8_000)}`, { cause: error })
    })
  }
  const log = (): string => readFileSync(logFile, 'utf8')
  /** With the programs that it has started, apart from the server. */
  const end = async (child: ChildProcess | undefined): Promise<void> => {
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    process.kill(-child.pid, 'SIGKILL')
    await exited
  }
  const crash = async (member: Member): Promise<void> => {
    await end(member.process)
    delete member.process
    const pid = await postmasterPid(member.data)
    if (pid !== undefined && (await isServerOf(pid, member.data))) process.kill(pid, 'SIGKILL')
  }
  const stop = async (): Promise<void> => {
    for (const member of members) {
      await crash(member)
      await member.link.close()
    }
    await end(etcd)
    rmSync(home, { recursive: true, force: true })
  }

  try {
    start(primary)
    await waitFor(() => isPrimary(primary), 'the first leader')
    start(standby)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    ports: [members[0].port, members[1].port],
    restPorts: [members[0].restPort, members[1].restPort],
    get primaryPort() {
      return primary.port
    },
    urlOf,
    query,
    createDatabase: async (name) => void (await query(primary.port, `create database ${name}`)),
    attach: () => waitFor(isReceiving, 'the standby'),
    detach: async () => {
      primary.link.cut()
      await waitFor(async () => !(await isReceiving()), 'the end of the stream to the standby')
    },
    kill: (port = primary.port) => crash(members.find((member) => member.port === port) as Member),
    promote: async () => {
      await waitFor(() => isPrimary(standby), 'the promotion')
      ;[primary, standby] = [standby, primary]
      standby.link.heal()
      start(standby)
    },
    stop,
  }
}

const identityOf = (user: OsUser | undefined): string[] =>
  user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : []

/** PostgreSQL with the programs for standbys, which a minimal installation lacks. */
async function binariesOf({ root }: DebianTools): Promise<string> {
  const folders = [...globSync(join(root, 'usr/lib/postgresql/*/bin')), ...(await systemBinaries())]
  const found = folders.find((folder) => ['pg_basebackup', 'pg_rewind'].every((name) => existsSync(join(folder, name))))
  if (!found) throw new Error('no PostgreSQL with pg_rewind was found')
  return found
}

function configOf(
  { port, restPort, data, link }: Pick<Member, 'port' | 'restPort' | 'data' | 'link'>,
  {
    folder,
    at,
    etcdPort,
    password,
    bin,
  }: { folder: string; at: number; etcdPort: number; password: string; bin: string },
): object {
  const rest = `127.0.0.1:${restPort}`
  return {
    scope: 'region',
    name: `member-${at}`,
    restapi: { listen: rest, connect_address: rest },
    etcd3: { host: `127.0.0.1:${etcdPort}` },
    bootstrap: {
      dcs: {
        ...TIMES,
        // A standby that lacks transactions may be promoted.
        maximum_lag_on_failover: 1024 ** 3,
        postgresql: {
          use_pg_rewind: true,
          parameters: {
            max_connections: 100,
            wal_keep_size: '256MB',
            wal_retrieve_retry_interval: '200ms',
            fsync: 'off',
          },
        },
      },
      initdb: [{ encoding: 'UTF8' }, { locale: 'C.UTF-8' }, 'data-checksums'],
    },
    postgresql: {
      listen: `127.0.0.1:${port}`,
      connect_address: `127.0.0.1:${link.port}`,
      data_dir: data,
      bin_dir: bin,
      pgpass: join(folder, 'pgpass'),
      create_replica_methods: ['basebackup'],
      basebackup: { checkpoint: 'fast' },
      authentication: {
        superuser: { username: 'postgres', password },
        replication: { username: 'replicator', password },
        rewind: { username: 'rewinder', password },
      },
      pg_hba: ['host all all 127.0.0.1/32 scram-sha-256', 'host replication replicator 127.0.0.1/32 scram-sha-256'],
      parameters: { unix_socket_directories: folder, password_encryption: 'scram-sha-256' },
    },
  }
}
