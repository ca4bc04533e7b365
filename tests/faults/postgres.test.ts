/** Regions on a PostgreSQL that restarts, breaks connections, becomes silent, or fails over to its standby. */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
  DescribeUserPoolClientCommand,
  UpdateUserPoolClientCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { copyAsStandby } from '@twinpool/testing/postgres-pair'
import { silence } from '@twinpool/testing/postgres-silence'
import { engines, freePorts, until } from '@twinpool/testing/regions'
import { type ServedRegion, serveRegion } from '@twinpool/testing/served-region'
import pg from 'pg'
import { type Postgres, startPostgres } from 'twinpool/internal/postgres/start'

const STATEMENT_SECONDS = 1
const KILL = `select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name ~ '^twinpool'`
const EXPECTED = ['InternalErrorException', 'TooManyRequestsException']
const isUnexpected = (name: string): boolean => !EXPECTED.includes(name)
/** A connection (1 s), then a statement on it (1 s and 1 s of grace); the rest is a margin for a machine under load. */
const BOUND_MILLISECONDS = 10_000

const skip = !engines.includes('postgres')
  ? 'no PostgreSQL is asked for'
  : process.platform !== 'linux' && 'the processes of a server are found through /proc'

describe('a PostgreSQL that fails', { skip }, () => {
  let home: string
  let ports: number[]
  let first: Postgres
  let standby: Postgres | undefined
  /** Two processes of one region. */
  let region: ServedRegion
  let other: ServedRegion
  let pool: string
  const acknowledged: string[] = []

  const start = (name: 'first' | 'standby') =>
    startPostgres({ directory: join(home, name), port: ports[name === 'first' ? 0 : 1] as number })
  const serve = (url: string) =>
    serveRegion({
      config: { store: { engine: 'postgres', url, connections: 6, statementSeconds: STATEMENT_SECONDS } },
    })

  before(async () => {
    home = mkdtempSync(join(tmpdir(), 'twinpool-fault-'))
    // PostgreSQL may run as another user, which needs access to the directory.
    chmodSync(home, 0o755)
    ports = await freePorts(2)
    first = await start('first')
    const url = new URL(await first.createDatabase('twinpool'))
    const both = url.href.replace(url.host, `127.0.0.1:${ports[1]},${url.host}`)
    region = await serve(both)
    other = await serve(both)
    const { UserPool } = await region.cognito.send(new CreateUserPoolCommand({ PoolName: 'p' }))
    pool = UserPool?.Id as string
  })
  after(async () => {
    if (process.env.TWINPOOL_TEST_LOG) process.stderr.write(region?.log ?? '')
    await region?.stop()
    await other?.stop()
    await standby?.stop()
    await first?.stop()
    rmSync(home, { recursive: true, force: true })
  })

  const create = async (username: string): Promise<void> => {
    await region.cognito.send(
      new AdminCreateUserCommand({ UserPoolId: pool, Username: username, MessageAction: 'SUPPRESS' }),
    )
    acknowledged.push(username)
  }
  const checkAllPresent = async (): Promise<void> => {
    for (const Username of acknowledged) {
      await region.cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username }))
    }
  }
  /** Runs the work under several writers. Returns the names of their errors and their longest wait. */
  const writing = async (work: () => Promise<unknown>): Promise<{ errors: string[]; longest: number }> => {
    const errors = new Set<string>()
    const stopped = new AbortController()
    let longest = 0
    const run = acknowledged.length
    const writer = async (at: number): Promise<void> => {
      for (let turn = 0; !stopped.signal.aborted; turn += 1) {
        const began = performance.now()
        await create(`user-${run}-${at}-${turn}`).catch((error: Error) => errors.add(error.name))
        longest = Math.max(longest, performance.now() - began)
      }
    }
    const writers = Promise.all(Array.from({ length: 4 }, (_, at) => writer(at)))
    try {
      await work()
    } finally {
      stopped.abort()
      await writers
    }
    return { errors: [...errors], longest }
  }
  const moreWrites = async (many: number): Promise<void> => {
    const enough = acknowledged.length + many
    await until(() => acknowledged.length >= enough, { what: 'writes' })
  }
  const query = async (server: Postgres, statement: string): Promise<pg.QueryResult> => {
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    try {
      return await client.query(statement)
    } finally {
      await client.end()
    }
  }
  const administer = async (server: Postgres, statement: string): Promise<number> =>
    (await query(server, statement)).rowCount ?? 0
  const listening = async (server: Postgres): Promise<number[]> => {
    const statement = `select pid from pg_stat_activity where application_name = 'twinpool-listener-2'`
    const pids = async () => (await query(server, statement)).rows.map(({ pid }) => pid as number)
    await until(async () => (await pids()).length === 2, { what: 'both processes to listen' })
    return pids()
  }
  const well = (served: ServedRegion) =>
    until(async () => (await served.health()).code === 200, { what: 'health', seconds: 30 })
  /** A change by one process reaches the cache of the other. */
  const checkAnnouncements = async (): Promise<void> => {
    const { UserPoolClient } = await region.cognito.send(
      new CreateUserPoolClientCommand({ UserPoolId: pool, ClientName: 'before' }),
    )
    const client = { UserPoolId: pool, ClientId: UserPoolClient?.ClientId }
    const nameThere = async () =>
      (await other.cognito.send(new DescribeUserPoolClientCommand(client))).UserPoolClient?.ClientName
    assert.equal(await nameThere(), 'before')
    await region.cognito.send(new UpdateUserPoolClientCommand({ ...client, ClientName: 'after' }))
    await until(async () => (await nameThere()) === 'after', { what: 'the announcement' })
  }
  const checkAlive = (): void => {
    for (const served of [region, other]) {
      assert.equal(served.process.exitCode, null)
      assert.doesNotMatch(served.log, /unhandled|UnhandledPromise|MaxListenersExceeded/i)
    }
  }

  it('connections killed within transactions: callers see no error or a 500, and no acknowledged write is lost', async () => {
    const { errors } = await writing(async () => {
      for (let round = 1; round <= 10; round += 1) {
        await moreWrites(8)
        await administer(first, KILL)
      }
    })
    assert.deepEqual(errors.filter(isUnexpected), [])
    await well(region)
    await checkAllPresent()
    await checkAnnouncements()
    checkAlive()
  })

  it('down: calls get a 500 at once, and health names the refusal; up again: the region recovers by itself', async () => {
    const { errors, longest } = await writing(async () => {
      await moreWrites(4)
      await first.stop()
      await assert.rejects(create('nobody'), { name: 'InternalErrorException' })
      const { code, checks } = await region.health()
      assert.equal(code, 503)
      assert.match(checks.store?.detail ?? '', /ECONNREFUSED/)
      assert.equal(checks.keys?.ok, true)
    })
    assert.deepEqual(errors, ['InternalErrorException'])
    assert.ok(longest < BOUND_MILLISECONDS, `${longest} ms`)
    first = await start('first')
    await well(region)
    await well(other)
    await create('back')
    await checkAllPresent()
    await checkAnnouncements()
    checkAlive()
  })

  it('silent: every call ends in bounded time with a 500 or a throttle, health reports the silence, and the region recovers', async () => {
    let resume = (): void => {}
    try {
      const { errors, longest } = await writing(async () => {
        await moreWrites(8)
        resume = silence(join(home, 'first', 'data'))
        await region.logged(/PostgreSQL has not responded for 2 s/)
        const { code, checks } = await region.health()
        assert.equal(code, 503)
        assert.match(checks.store?.detail ?? '', /no response|has not responded|timeout/)
      })
      assert.ok(errors.includes('InternalErrorException'), `${errors}`)
      assert.deepEqual(errors.filter(isUnexpected), [])
      assert.ok(longest < BOUND_MILLISECONDS, `${longest} ms`)
    } finally {
      resume()
    }
    await well(region)
    await well(other)
    await create('heard')
    await checkAllPresent()
    await checkAnnouncements()
    checkAlive()
  })

  it('failing over to a standby: every acknowledged write is there, and the region finds the new primary by itself', async () => {
    await first.stop()
    copyAsStandby({ from: join(home, 'first'), to: join(home, 'standby'), upstream: first.url })
    first = await start('first')
    standby = await start('standby')
    await until(
      async () => (await administer(first, `select from pg_stat_replication where state = 'streaming'`)) > 0,
      {
        what: 'the standby',
      },
    )
    // A transaction is acknowledged only after the standby has it.
    await administer(first, `alter system set synchronous_standby_names = '*'`)
    await administer(first, 'select pg_reload_conf()')
    await until(
      async () => (await administer(first, `select from pg_stat_replication where sync_state = 'sync'`)) > 0,
      {
        what: 'a synchronous standby',
      },
    )

    await well(region)
    let resume = (): void => {}
    try {
      const { errors } = await writing(async () => {
        await moreWrites(20)
        // Lost without closing its connections, like a machine; but listening connections still get TCP answers and no
        // notification.
        resume = silence(join(home, 'first', 'data'), { except: await listening(first) })
        await administer(standby as Postgres, 'select pg_promote()')
        await well(region)
        await well(other)
        await moreWrites(20)
      })
      assert.deepEqual(errors.filter(isUnexpected), [])
      await checkAllPresent()
      await checkAnnouncements()
      checkAlive()
    } finally {
      resume()
      await first.stop()
    }
  })

  it('becoming read-only under the region: calls get a 500 that the log explains, and no connection to it is kept', async () => {
    const server = standby as Postgres
    await administer(server, 'alter database twinpool set default_transaction_read_only = on')
    await administer(server, KILL)
    await assert.rejects(create('nobody'), { name: 'InternalErrorException' })
    await until(async () => /accepts no writes/.test((await region.health()).checks.store?.detail ?? ''), {
      what: 'the reason in health',
    })
    assert.equal((await region.health()).code, 503)
    await region.logged(/accepts no writes: it is a standby, or read-only/)
    await administer(server, 'alter database twinpool reset default_transaction_read_only')
    await well(region)
    await create('writable')
    await checkAllPresent()
    checkAlive()
  })
})
