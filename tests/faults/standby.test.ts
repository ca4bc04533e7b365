/** A region whose PostgreSQL has a synchronous standby that stops responding, and a server without free connections. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  AdminSetUserPasswordCommand,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
  GetUserCommand,
  InitiateAuthCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { silence } from '@twinpool/testing/postgres-silence'
import { engines, freePorts, until } from '@twinpool/testing/regions'
import { type ServedRegion, serveRegion } from '@twinpool/testing/served-region'
import pg from 'pg'
import { type Postgres, startPostgres } from 'twinpool/internal/postgres/start'

const CONNECTIONS = 8
/** Of one process, besides CONNECTIONS: feed, apply, notifications, lease, check. */
const MORE_CONNECTIONS = 6
const PASSWORD = 'Correct-Horse-7'

const skip = !engines.includes('postgres')
  ? 'no PostgreSQL is asked for'
  : process.platform !== 'linux' && 'the processes of a server are found through /proc'

describe('a region on PostgreSQL with a synchronous standby', { skip }, () => {
  let home: string
  let primary: Postgres
  let standby: Postgres
  let region: ServedRegion
  let pool: string
  let client: string

  before(async () => {
    home = mkdtempSync(join(tmpdir(), 'twinpool-standby-'))
    // PostgreSQL may run as another user, which needs access to the directory.
    chmodSync(home, 0o755)
    const [port, standbyPort] = (await freePorts(2)) as [number, number]
    const start = (name: string, at: number) => startPostgres({ directory: join(home, name), port: at })
    primary = await start('primary', port)
    const url = await primary.createDatabase('twinpool')
    await primary.stop()
    execFileSync('cp', ['-a', join(home, 'primary'), join(home, 'standby')])
    primary = await start('primary', port)
    const { username, password } = new URL(primary.url)
    const data = join(home, 'standby', 'data')
    const upstream = `host=127.0.0.1 port=${port} user=${username} password=${password}`
    writeFileSync(join(data, 'postgresql.auto.conf'), `primary_conninfo = '${upstream}'\n`, { flag: 'a' })
    // Any file that the server's user owns.
    copyFileSync(join(data, 'PG_VERSION'), join(data, 'standby.signal'))
    standby = await start('standby', standbyPort)
    await query(`alter system set synchronous_standby_names = '*'`)
    await query('select pg_reload_conf()')
    await until(async () => (await query(`select from pg_stat_replication where sync_state = 'sync'`)) > 0, {
      what: 'a synchronous standby',
    })
    region = await serveRegion({
      config: { store: { engine: 'postgres', url, connections: CONNECTIONS, statementSeconds: 1 } },
    })
    pool = (await region.cognito.send(new CreateUserPoolCommand({ PoolName: 'p' }))).UserPool?.Id as string
    const flows = { UserPoolId: pool, ClientName: 'c', ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH' as const] }
    client = (await region.cognito.send(new CreateUserPoolClientCommand(flows))).UserPoolClient?.ClientId as string
    await create('ada')
    const known = { UserPoolId: pool, Username: 'ada', Password: PASSWORD, Permanent: true }
    await region.cognito.send(new AdminSetUserPasswordCommand(known))
  })
  after(async () => {
    if (process.env.TWINPOOL_TEST_LOG) process.stderr.write(region?.log ?? '')
    await region?.stop()
    await standby?.stop()
    await primary?.stop()
    rmSync(home, { recursive: true, force: true })
  })

  const query = async (statement: string): Promise<number> => {
    const session = new pg.Client({ connectionString: primary.url })
    await session.connect()
    try {
      return (await session.query(statement)).rowCount ?? 0
    } finally {
      await session.end()
    }
  }
  const create = (Username: string) =>
    region.cognito.send(new AdminCreateUserCommand({ UserPoolId: pool, Username, MessageAction: 'SUPPRESS' }))
  const signIn = async (): Promise<void> => {
    const { AuthenticationResult } = await region.cognito.send(
      new InitiateAuthCommand({
        ClientId: client,
        AuthFlow: 'USER_PASSWORD_AUTH',
        AuthParameters: { USERNAME: 'ada', PASSWORD },
      }),
    )
    const { AccessToken } = AuthenticationResult as { AccessToken: string }
    assert.equal((await region.cognito.send(new GetUserCommand({ AccessToken }))).Username, 'ada')
  }

  it('serves sign-ins and reads while the standby is silent, throttles writes, and recovers by itself', async () => {
    const resume = silence(join(home, 'standby', 'data'))
    const errors = new Set<string>()
    const acknowledged: string[] = []
    const write = async (at: number): Promise<void> => {
      const name = `user-${at}`
      await create(name).then(
        () => acknowledged.push(name),
        (error: Error) => errors.add(error.name),
      )
    }
    try {
      // The share of the writes, and each of them again, in place of the connections that were closed.
      for (let round = 0; round < 3; round += 1) {
        await Promise.all(Array.from({ length: 2 * CONNECTIONS }, (_, at) => write(round * 100 + at)))
        await signIn()
        const open = await query(`select from pg_stat_activity where application_name like 'twinpool%'`)
        assert.ok(open <= CONNECTIONS + MORE_CONNECTIONS, `${open} connections on the server`)
      }
      assert.deepEqual([...errors].sort(), ['InternalErrorException', 'TooManyRequestsException'])
      assert.deepEqual(acknowledged, [])
      const reason = 'all writes wait for a synchronous standby that does not respond'
      await until(async () => (await region.health()).checks.store?.detail === reason, { what: 'the reason in health' })
      assert.equal((await region.health()).code, 503)
    } finally {
      resume()
    }
    await until(async () => (await region.health()).code === 200, { what: 'health', seconds: 30 })
    await create('afterwards')
    await region.cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username: 'afterwards' }))
    await signIn()
  })

  it('throttles calls while the server has no connection left, and serves them afterwards', async () => {
    await query('alter system set max_connections = 20')
    await primary.stop()
    primary = await startPostgres({ directory: join(home, 'primary'), port: Number(new URL(primary.url).port) })
    await until(async () => (await region.health()).code === 200, { what: 'health', seconds: 30 })
    const taken: pg.Client[] = []
    try {
      for (;;) {
        const session = new pg.Client({ connectionString: primary.url })
        session.on('error', () => {})
        const error = await session.connect().then(
          () => undefined,
          (failure: pg.DatabaseError) => failure,
        )
        if (error) {
          assert.equal(error.code, '53300')
          break
        }
        taken.push(session)
      }
      const calls = Array.from({ length: 2 * CONNECTIONS }, () => signIn())
      const results = await Promise.allSettled(calls)
      const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.name] : []))
      assert.deepEqual([...new Set(reasons)], ['TooManyRequestsException'])
    } finally {
      for (const session of taken) await session.end()
    }
    await until(async () => (await region.health()).code === 200, { what: 'health', seconds: 30 })
    await signIn()
  })
})
