/** Two regions with two processes each: the processes of a region share one PostgreSQL and one address. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { pipeline } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  DescribeUserPoolClientCommand,
  GetUserCommand,
  ListUsersCommand,
  RevokeTokenCommand,
  UpdateUserPoolClientCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { createDatabase, dropDatabase, type TestDatabase } from '@twinpool/testing/databases'
import { people } from '@twinpool/testing/people'
import { createClient, createUser, type TestClient } from '@twinpool/testing/pools'
import { engines, until } from '@twinpool/testing/regions'
import { createReplicatedPool } from '@twinpool/testing/replicas'
import { type ServedRegion, serveRegion } from '@twinpool/testing/served-region'

const WEST = 'us-west-2'
const EAST = 'us-east-1'
/** A process without the lease asks for it once a second; a silent link is given up after three seconds. */
const TAKE_OVER = { what: 'the other process to take over', seconds: 20 }

/** One address for the processes of a region: connections go to them in turn, skipping processes that are down. */
interface Balancer {
  readonly url: string
  members: ServedRegion[]
  close(): void
}

describe('several processes of a region', {
  skip: !engines.includes('postgres') && 'no PostgreSQL is asked for',
}, () => {
  const databases: TestDatabase[] = []
  const doors = {} as Record<string, Balancer>
  const config = {} as Record<string, NonNullable<Parameters<typeof serveRegion>[0]>['config']>
  let west: [ServedRegion, ServedRegion]
  let east: [ServedRegion, ServedRegion]
  let pool: string
  let client: TestClient

  before(async () => {
    const secret = randomBytes(32).toString('base64')
    for (const name of [WEST, EAST]) doors[name] = await openBalancer()
    for (const [name, peer] of [
      [WEST, EAST],
      [EAST, WEST],
    ] as const) {
      const database = await createDatabase()
      databases.push(database)
      config[name] = {
        region: name,
        endpoint: doors[name]?.url,
        issuerBase: 'http://id.test',
        store: { engine: 'postgres', url: database.url, connections: 6, statementSeconds: 3 },
        keys: { provider: 'local', masterKey: randomBytes(32).toString('base64') },
        cluster: { secret },
        peers: { [peer]: { endpoint: doors[peer]?.url as string } },
        log: { level: 'warn' },
      }
    }
    // Both start at once on an empty database, and each migrates it.
    const [one, two, three, four] = await Promise.all([start(WEST), start(WEST), start(EAST), start(EAST)])
    west = [one, two]
    east = [three, four]
    pool = await createReplicatedPool({ primary: west[0], secondary: east[0], regions: [west[0], east[0]] })
    client = await createClient(west[0], pool, { EnableTokenRevocation: true })
    await createUser(west[0], pool, { username: 'ada' })
    for (const { cognito } of east) await seen(cognito, 'ada')
  })
  after(async () => {
    await Promise.all([...(west ?? []), ...(east ?? [])].map((served) => served.stop()))
    for (const door of Object.values(doors)) door.close()
    for (const database of databases) await dropDatabase(database)
  })

  const start = async (name: string): Promise<ServedRegion> => {
    const served = await serveRegion({ config: config[name] as object })
    doors[name]?.members.push(served)
    return served
  }
  /** Kills a process, and starts another one in its place. */
  const replace = async (name: string, processes: [ServedRegion, ServedRegion], at: 0 | 1): Promise<void> => {
    const door = doors[name] as Balancer
    door.members = door.members.filter((served) => served !== processes[at])
    await processes[at].stop()
    processes[at] = await start(name)
  }
  const kill = async ({ process }: ServedRegion): Promise<void> => {
    process.kill('SIGKILL')
    await once(process, 'exit')
  }
  const write = (served: ServedRegion, username: string) =>
    served.cognito.send(new AdminCreateUserCommand({ UserPoolId: pool, Username: username, MessageAction: 'SUPPRESS' }))
  const seen = (cognito: ServedRegion['cognito'], username: string) =>
    until(
      () =>
        cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username: username })).then(
          () => true,
          () => false,
        ),
      { ...TAKE_OVER, what: `${username} in the other region` },
    )
  it('a write in one process reaches all processes of both regions', async () => {
    const names = Array.from({ length: 20 }, (_, at) => `written-${at}`)
    await Promise.all(names.map((name, at) => write(west[at % 2 === 0 ? 0 : 1], name)))
    for (const { cognito } of [...west, ...east]) {
      for (const name of names) await seen(cognito, name)
    }
  })

  it('a sign-in that begins in one process can be finished in any other', async () => {
    const all = [...west, ...east]
    for (const [at, begin] of all.entries()) {
      const finish = all[(at + 1) % all.length] as ServedRegion
      const tokens = await people(begin).signInBySrp(client, { username: 'ada', finishIn: finish })
      for (const served of all) {
        assert.equal((await people(served).getUser(tokens.AccessToken)).Username, 'ada')
        assert.ok((await people(served).getTokens(client, tokens.RefreshToken)).AccessToken)
      }
    }
  })

  it('settings cached in every process are refreshed in every process when one of them changes them', async () => {
    const address = { UserPoolId: pool, ClientId: client.id }
    const nameIn = async ({ cognito }: ServedRegion) =>
      (await cognito.send(new DescribeUserPoolClientCommand(address))).UserPoolClient?.ClientName
    const all = [...west, ...east]
    for (const [turn, writer] of [...west, ...west].entries()) {
      await Promise.all(all.map(nameIn))
      const { UserPoolClient } = await writer.cognito.send(new DescribeUserPoolClientCommand(address))
      const { CreationDate, LastModifiedDate, ...settings } = UserPoolClient ?? {}
      const ClientName = `name ${turn}`
      await writer.cognito.send(new UpdateUserPoolClientCommand({ ...settings, ...address, ClientName }))
      for (const served of all) await until(async () => (await nameIn(served)) === ClientName, { what: ClientName })
    }
  })

  it('a token that one process of a replica revokes is invalid in every process', async () => {
    const { AccessToken, RefreshToken } = await people(east[0]).signIn(client, { username: 'ada' })
    for (const { cognito } of [...west, ...east]) await cognito.send(new GetUserCommand({ AccessToken }))
    await east[1].cognito.send(new RevokeTokenCommand({ Token: RefreshToken, ClientId: client.id }))
    for (const { cognito } of [...west, ...east]) {
      await until(
        () =>
          cognito.send(new GetUserCommand({ AccessToken })).then(
            () => false,
            ({ name }) => name === 'NotAuthorizedException',
          ),
        { what: 'the refusal' },
      )
    }
  })

  it('wrong passwords are counted across the processes', async () => {
    await createUser(west[0], pool, { username: 'eve' })
    const tryAs = async (at: number) =>
      assert.rejects(
        people(west[at % 2] as ServedRegion).signIn(client, { username: 'eve', password: 'Wrong-Horse-7' }),
        (error: Error) => {
          messages.push(error.message)
          return true
        },
      )
    const messages: string[] = []
    for (let at = 0; at < 7; at += 1) await tryAs(at)
    assert.equal(messages[0], 'Incorrect username or password.')
    assert.equal(messages.at(-1), 'Password attempts exceeded')
  })

  it('after a kill of any process of the primary, the others continue and serve the feed', async () => {
    for (const at of [0, 1] as const) {
      const left = west[1 - at] as ServedRegion
      await kill(west[at])
      await people(left).signIn(client, { username: 'ada' })
      await write(left, `without-${at}`)
      for (const { cognito } of east) await seen(cognito, `without-${at}`)
      await replace(WEST, west, at)
      await write(west[at], `back-${at}`)
      for (const { cognito } of east) await seen(cognito, `back-${at}`)
    }
  })

  it('after a kill of any process of the replica, another one applies within seconds', async () => {
    // The process that survives the first turn holds the lease, and the second turn kills it.
    for (const at of [0, 1] as const) {
      const left = east[1 - at] as ServedRegion
      await kill(east[at])
      await write(west[0], `apart-${at}`)
      await seen(left.cognito, `apart-${at}`)
      await people(left).signIn(client, { username: 'ada' })
      await replace(EAST, east, at)
      await seen(east[at].cognito, `apart-${at}`)
    }
  })

  it('when the applying process is paused, another one applies, and the paused one does no harm when it resumes', async () => {
    for (const stopped of east) {
      stopped.process.kill('SIGSTOP')
      try {
        const [left] = east.filter((served) => served !== stopped) as [ServedRegion]
        await write(west[0], `meanwhile-${stopped.process.pid}`)
        await seen(left.cognito, `meanwhile-${stopped.process.pid}`)
      } finally {
        stopped.process.kill('SIGCONT')
      }
      await write(west[0], `afterwards-${stopped.process.pid}`)
      for (const { cognito } of east) await seen(cognito, `afterwards-${stopped.process.pid}`)
    }
  })

  it('every process reports the lag, and the loss of the other region', async () => {
    const connected = async (served: ServedRegion, value: number) =>
      (await served.metric('twinpool_peer_connected', { peer: WEST })) === value
    const lagOf = (served: ServedRegion) => served.metric('twinpool_replication_lag_seconds', { peer: WEST })
    for (const served of east) await until(() => connected(served, 1), TAKE_OVER)
    for (const served of west) served.process.kill('SIGSTOP')
    try {
      for (const served of east) {
        await until(async () => (await connected(served, 0)) && (await lagOf(served)) > 2, {
          what: 'the loss in every process',
        })
        const lag = await lagOf(served)
        await until(async () => (await lagOf(served)) > lag + 0.5, { what: 'a lag that grows' })
        const { code, status, checks } = await served.health()
        assert.deepEqual([code, status, checks.replication?.ok], [200, 'degraded', false])
      }
    } finally {
      for (const served of west) served.process.kill('SIGCONT')
    }
    for (const served of east) await until(() => connected(served, 1), TAKE_OVER)
  })

  it('after all this, no acknowledged write is missing in any region', async () => {
    const namesIn = async ({ cognito }: ServedRegion): Promise<string[]> => {
      const names: string[] = []
      let PaginationToken: string | undefined
      do {
        const page = await cognito.send(new ListUsersCommand({ UserPoolId: pool, PaginationToken }))
        names.push(...(page.Users ?? []).map(({ Username }) => Username as string))
        PaginationToken = page.PaginationToken
      } while (PaginationToken)
      return names.sort()
    }
    const [expected, ...others] = await Promise.all([...west, ...east].map(namesIn))
    assert.ok(expected && expected.length > 20)
    for (const names of others) assert.deepEqual(names, expected)
    for (const { log } of [...west, ...east]) assert.doesNotMatch(log, /unhandled|MaxListenersExceeded/i)
  })
})

async function openBalancer(): Promise<Balancer> {
  let turn = 0
  const forward = async (socket: Socket): Promise<void> => {
    const { members } = balancer
    turn += 1
    for (const at of members.keys()) {
      const member = members[(turn + at) % members.length] as ServedRegion
      const upstream = connect(Number(new URL(member.endpoint).port), '127.0.0.1')
      try {
        await once(upstream, 'connect')
      } catch {
        continue
      }
      pipeline(socket, upstream, socket, () => {})
      return
    }
    socket.destroy()
  }
  const server = createServer((socket) => {
    socket.on('error', () => {})
    void forward(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const balancer: Balancer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    members: [],
    close: () => server.close(),
  }
  return balancer
}
