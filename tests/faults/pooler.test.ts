/** A region that reaches its PostgreSQL through PgBouncer. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  CreateUserPoolCommand,
  DescribeUserPoolCommand,
  UpdateUserPoolCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { createDatabase, dropDatabase, type TestDatabase } from '@twinpool/testing/databases'
import { debianTools } from '@twinpool/testing/debian'
import { engines, freePorts, until } from '@twinpool/testing/regions'
import { NotServedError, serveRegion } from '@twinpool/testing/served-region'

const tools = engines.includes('postgres') ? await debianTools(['pgbouncer']) : 'no PostgreSQL is asked for'

describe('a region behind PgBouncer', { skip: typeof tools === 'string' && tools }, () => {
  let home: string
  let database: TestDatabase
  const running: ChildProcess[] = []

  before(async () => {
    home = mkdtempSync(join(tmpdir(), 'twinpool-pooler-'))
    chmodSync(home, 0o755)
    database = await createDatabase()
  })
  after(async () => {
    for (const child of running) {
      const exited = once(child, 'exit')
      if (child.kill()) await exited
    }
    await dropDatabase(database)
    rmSync(home, { recursive: true, force: true })
  })

  /** Starts PgBouncer in front of the database. Returns the URL through it. */
  const pool = async (mode: 'session' | 'transaction'): Promise<string> => {
    if (typeof tools === 'string') throw new Error(tools)
    const [port] = (await freePorts(1)) as [number]
    const server = new URL(database.url)
    const { username, password, hostname } = server
    const file = join(home, `${mode}.ini`)
    writeFileSync(
      file,
      `[databases]
region = host=${hostname} port=${server.port} dbname=${database.name} user=${username} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = 30
`,
    )
    // PgBouncer refuses to run as root.
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
    const child = spawn('pgbouncer', ['-q', ...user, file], { env: tools.env, stdio: 'ignore' })
    running.push(child)
    await until(() => isListening(port), { what: 'PgBouncer' })
    return `postgres://anybody@127.0.0.1:${port}/region`
  }

  it('works in session mode, with two processes of the region', async () => {
    const store = { engine: 'postgres', url: await pool('session'), connections: 8 } as const
    const one = await serveRegion({ config: { store } })
    const other = await serveRegion({ config: { store } })
    try {
      const { UserPool } = await one.cognito.send(new CreateUserPoolCommand({ PoolName: 'p' }))
      const UserPoolId = UserPool?.Id as string
      const people = Array.from({ length: 30 }, (_, at) => ({ UserPoolId, Username: `user-${at}` }))
      await Promise.all(
        people.map((user) => one.cognito.send(new AdminCreateUserCommand({ ...user, MessageAction: 'SUPPRESS' }))),
      )
      for (const user of people) await other.cognito.send(new AdminGetUserCommand(user))
      const minimum = async () =>
        (await other.cognito.send(new DescribeUserPoolCommand({ UserPoolId }))).UserPool?.Policies?.PasswordPolicy
          ?.MinimumLength
      assert.equal(await minimum(), 8)
      const Policies = { PasswordPolicy: { MinimumLength: 12 } }
      await one.cognito.send(new UpdateUserPoolCommand({ UserPoolId, Policies }))
      await until(async () => (await minimum()) === 12, { what: 'the notification of the other process' })
      assert.equal((await one.health()).code, 200)
    } finally {
      await one.stop()
      await other.stop()
    }
  })

  it('is refused in transaction mode, with the reason', async () => {
    const url = await pool('transaction')
    const error = await serveRegion({ config: { store: { engine: 'postgres', url } } }).then(
      () => assert.fail('it started'),
      (thrown: unknown) => thrown,
    )
    assert.ok(error instanceof NotServedError, String(error))
    assert.equal(error.code, 2)
    assert.match(error.words, /shares sessions: use its session mode \(PgBouncer: pool_mode=session/)
  })
})

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    }).once('error', () => resolve(false))
  })
