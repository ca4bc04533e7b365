/** Sign-outs in a region with several processes whose clocks differ: on PostgreSQL, the clock of its database server counts. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import {
  AdminDisableUserCommand,
  AdminEnableUserCommand,
  AdminUserGlobalSignOutCommand,
  GlobalSignOutCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { createDatabase, dropDatabase, type TestDatabase } from '@twinpool/testing/databases'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser, type TestClient } from '@twinpool/testing/pools'
import { engines, freePorts, until } from '@twinpool/testing/regions'
import { type ServedRegion, serveRegion } from '@twinpool/testing/served-region'

const WEST = 'us-west-2'
const EAST = 'us-east-1'
const USER = { username: 'ada' }
/** How far the clocks of the processes of the primary are ahead, in milliseconds. */
const CLOCKS = [0, 300, 3_000] as const

describe('processes of a primary region with different clocks', {
  skip: !engines.includes('postgres') && 'no PostgreSQL is asked for',
}, () => {
  let database: TestDatabase
  let exact: ServedRegion
  let east: ServedRegion
  const west = new Map<number, ServedRegion>()
  let pool: string
  let client: TestClient

  before(async () => {
    database = await createDatabase()
    const ports = await freePorts(CLOCKS.length + 1)
    const urls = ports.map((port) => `http://127.0.0.1:${port}`)
    const common = {
      issuerBase: 'http://id.test',
      cluster: { secret: randomBytes(32).toString('base64') },
      keys: { provider: 'local', masterKey: randomBytes(32).toString('base64') },
      log: { level: 'warn' },
    } as const
    const start = async (ahead: number, at: number): Promise<ServedRegion> => {
      const served = await serveRegion({
        imports: [clockAhead(ahead)],
        config: {
          ...common,
          region: WEST,
          listen: { port: ports[at] as number },
          endpoint: urls[0],
          store: { engine: 'postgres', url: database.url, connections: 4 },
          peers: { [EAST]: { endpoint: urls.at(-1) as string } },
        },
      })
      west.set(ahead, served)
      return served
    }
    const startEast = async (): Promise<void> => {
      east = await serveRegion({
        config: {
          ...common,
          region: EAST,
          listen: { port: ports.at(-1) as number },
          peers: { [WEST]: { endpoint: urls[CLOCKS.length - 1] as string } },
        },
      })
    }
    await Promise.all([...CLOCKS.map(start), startEast()])
    exact = west.get(0) as ServedRegion
    pool = await createPool(exact)
    client = await createClient(exact, pool, {
      ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH'],
    })
    await createUser(exact, pool, USER)
  })
  after(async () => {
    await Promise.all([...west.values(), east].map((served) => served?.stop()))
    if (database) await dropDatabase(database)
  })

  const signOuts: Record<string, (accessToken: string) => Promise<unknown>> = {
    GlobalSignOut: (AccessToken) => exact.cognito.send(new GlobalSignOutCommand({ AccessToken })),
    AdminUserGlobalSignOut: () =>
      exact.cognito.send(new AdminUserGlobalSignOutCommand({ UserPoolId: pool, Username: USER.username })),
    AdminDisableUser: async () => {
      await exact.cognito.send(new AdminDisableUserCommand({ UserPoolId: pool, Username: USER.username }))
      await exact.cognito.send(new AdminEnableUserCommand({ UserPoolId: pool, Username: USER.username }))
    },
  }

  for (const ahead of CLOCKS.filter((ahead) => ahead > 0)) {
    for (const [name, signOut] of Object.entries(signOuts)) {
      it(`${name} ends a session of a process that is ${ahead} ms ahead, and none that begins 50 ms later`, async () => {
        const fast = west.get(ahead) as ServedRegion
        const all = [exact, fast]
        const [other, before] = [await people(exact).signIn(client, USER), await people(fast).signIn(client, USER)]
        await signOut(other.AccessToken)
        const signedOut = performance.now()
        await until(() => performance.now() - signedOut >= 50)
        const later = await Promise.all(all.map((served) => people(served).signIn(client, USER)))
        for (const served of all) {
          await assert.rejects(people(served).refresh(client, before.RefreshToken), { name: 'NotAuthorizedException' })
          await assert.rejects(people(served).getUser(before.AccessToken), { name: 'NotAuthorizedException' })
          for (const { RefreshToken } of later)
            assert.ok((await people(served).refresh(client, RefreshToken)).AccessToken)
        }
      })
    }
  }

  it('report one clock to another region, whichever of them it asks', async () => {
    const read = (name: string) => east.metric(name, { peer: WEST })
    await until(async () => (await read('twinpool_clock_skew_uncertainty_seconds')) > 0, { what: 'a measurement' })
    const [skew, uncertainty] = [
      await read('twinpool_clock_skew_seconds'),
      await read('twinpool_clock_skew_uncertainty_seconds'),
    ]
    assert.ok(Math.abs(skew) <= uncertainty + 0.05, `${skew} s, give or take ${uncertainty} s`)
  })
})

/** A module that sets the clock of a process. */
const clockAhead = (milliseconds: number): string =>
  `data:text/javascript,${encodeURIComponent(`const { now } = Date; Date.now = () => now() + ${milliseconds}`)}`
