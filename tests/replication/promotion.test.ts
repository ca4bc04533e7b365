/**
 * The primary region's PostgreSQL fails over, under load, to a standby that lacks the last transactions: once per seed and way to
 * switch, with the stream to the replica kept or broken. TWINPOOL_TEST_PROMOTIONS sets the number of seeds.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  AdminSetUserPasswordCommand,
  paginateListUsers,
} from '@aws-sdk/client-cognito-identity-provider'
import { people } from '@twinpool/testing/people'
import { createDice, type Dice } from '@twinpool/testing/plane-of-stores'
import { createClient, createUser, PASSWORD, type TestClient } from '@twinpool/testing/pools'
import { type PostgresPair, startPostgresPair } from '@twinpool/testing/postgres-pair'
import { credentials, engines, freePorts, until } from '@twinpool/testing/regions'
import { createReplicatedPool } from '@twinpool/testing/replicas'
import { type ServedRegion, serveRegion } from '@twinpool/testing/served-region'
import { createServiceCaller } from '@twinpool/toolkit/internal/service-call'
import { type LinkProxy, startLinkProxy } from 'twinpool/internal/link-proxy'

const [WEST, EAST] = ['us-west-2', 'us-east-1'] as const
const TRIALS = Number(process.env.TWINPOOL_TEST_PROMOTIONS ?? 2)
const WRITERS = 4
const SETTLED = { seconds: 30 }
const DATABASE = 'west'

/** A user, and the password that was acknowledged for it, if any. */
type Writes = Map<string, string | undefined>

const skip = !engines.includes('postgres') && 'no PostgreSQL is asked for'

for (const way of ['addresses in the URL', 'a proxy'] as const) {
  describe(`a standby without the last transactions is promoted: ${way}`, { skip }, () => {
    let pair: PostgresPair
    /** New connections lead to the present primary. */
    let proxy: LinkProxy | undefined
    let link: LinkProxy
    /** Two processes. */
    let west: [ServedRegion, ServedRegion]
    let east: ServedRegion
    let pool: string
    let client: TestClient
    let count = 0

    before(async () => {
      pair = await startPostgresPair()
      await pair.createDatabase(DATABASE)
      if (way === 'a proxy') proxy = await startLinkProxy({ targetPort: () => pair.primaryPort })
      const url = pair.urlOf(DATABASE, proxy?.port ?? pair.primaryPort)
      const addresses = pair.ports.map((port) => `127.0.0.1:${port}`).join(',')
      const [westPort, otherPort, eastPort] = (await freePorts(3)) as [number, number, number]
      link = await startLinkProxy({ targetPort: westPort })
      const secret = randomBytes(32).toString('base64')
      const config = (name: string, port: number, peer: string, peerPort: number) => ({
        region: name,
        listen: { port },
        endpoint: `http://127.0.0.1:${name === WEST ? westPort : eastPort}`,
        issuerBase: 'http://id.test',
        keys: { provider: 'local' as const, masterKey: randomBytes(32).toString('base64') },
        cluster: { secret },
        peers: { [peer]: { endpoint: `http://127.0.0.1:${peerPort}` } },
        log: { level: 'warn' as const },
      })
      const store = {
        engine: 'postgres' as const,
        url: proxy ? url : url.replace(`127.0.0.1:${pair.primaryPort}`, addresses),
        connections: 6,
        statementSeconds: 2,
      }
      const ofWest = { ...config(WEST, westPort, EAST, eastPort), store }
      west = [
        await serveRegion({ config: ofWest }),
        await serveRegion({ config: { ...ofWest, listen: { port: otherPort } } }),
      ]
      east = await serveRegion({ config: config(EAST, eastPort, WEST, link.port) })
      pool = await createReplicatedPool({ primary: west[0], secondary: east, regions: [west[0], east] })
      client = await createClient(west[0], pool)
    })
    after(async () => {
      if (process.env.TWINPOOL_TEST_LOG) process.stderr.write([...(west ?? []), east].map((one) => one?.log).join(''))
      await Promise.all([...(west ?? []), east].map((served) => served?.stop()))
      await link?.close()
      await proxy?.close()
      await pair?.stop()
    })

    const ask = <T>({ endpoint, name }: ServedRegion, operation: string) =>
      createServiceCaller({ endpoint, region: name, credentials })<T>(operation, { UserPoolId: pool })
    const checksumOf = async (served: ServedRegion): Promise<string | undefined> =>
      (await ask<{ Checksum: string }>(served, 'GetDirectoryChecksum').catch(() => undefined))?.Checksum
    /** A checksum reads the whole directory, so it is asked for after the copy. */
    const areEqual = async (): Promise<boolean> => {
      const status = await ask<{ Peers: { Connected: boolean }[]; Copies: object[] }>(east, 'GetReplicationStatus')
      if (!status.Peers[0]?.Connected || status.Copies.length > 0) return false
      const sums = await Promise.all([...west, east].map(checksumOf))
      return sums[0] !== undefined && new Set(sums).size === 1
    }
    const untilEqual = async (): Promise<void> => {
      await until(areEqual, { seconds: 90, what: 'equal directories' }).catch(async (error: Error) => {
        const states = await Promise.all(
          [...west, east].map(async (served) => [
            served.endpoint,
            await checksumOf(served),
            await ask<object>(served, 'GetReplicationStatus').catch(String),
          ]),
        )
        throw new Error(`${error.message}: ${JSON.stringify(states)}`, { cause: error })
      })
    }
    const renewals = async (): Promise<number> => {
      const counts = await Promise.all(
        west.map((served) => served.metric('twinpool_events_total', { event: 'log-renewed' })),
      )
      return counts.reduce((a, b) => a + b)
    }
    const healthy = () =>
      until(async () => (await Promise.all(west.map((served) => served.health()))).every(({ code }) => code === 200), {
        ...SETTLED,
        what: 'a healthy primary region',
      })
    const find = ({ cognito }: ServedRegion, Username: string) =>
      cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username })).then(
        () => true,
        ({ name }: Error) => name !== 'UserNotFoundException' && Promise.reject(new Error(name)),
      )
    const listUsers = async ({ cognito }: ServedRegion): Promise<Set<string>> => {
      const names = new Set<string>()
      for await (const { Users = [] } of paginateListUsers({ client: cognito }, { UserPoolId: pool })) {
        for (const { Username = '' } of Users) names.add(Username)
      }
      return names
    }
    const canSignIn = (served: ServedRegion, username: string, password: string) =>
      people(served)
        .signIn(client, { username, password })
        .then(
          () => true,
          ({ name }: Error) => name !== 'NotAuthorizedException' && Promise.reject(new Error(name)),
        )

    /** Writers that create users and change passwords in both processes until they are stopped. */
    const startLoad = (dice: Dice) => {
      const acknowledged: Writes = new Map()
      const stopped = new AbortController()
      let writes = 0
      const change = async (served: ServedRegion, username: string): Promise<void> => {
        const password = `Changed-${count++}-Horse`
        await served.cognito.send(
          new AdminSetUserPasswordCommand({
            UserPoolId: pool,
            Username: username,
            Password: password,
            Permanent: true,
          }),
        )
        acknowledged.set(username, password)
      }
      const writer = async (at: number): Promise<void> => {
        while (!stopped.signal.aborted) {
          const served = west[at % 2] as ServedRegion
          const username = `user-${count++}`
          try {
            await served.cognito.send(
              new AdminCreateUserCommand({ UserPoolId: pool, Username: username, MessageAction: 'SUPPRESS' }),
            )
            acknowledged.set(username, undefined)
            if (dice.chance(0.2)) await change(served, username)
            writes += 1
          } catch {
            // The server fails over.
          }
        }
      }
      const running = Promise.all(Array.from({ length: WRITERS }, (_, at) => writer(at)))
      return {
        acknowledged,
        more: (many: number) => {
          const enough = writes + many
          return until(() => writes >= enough, { ...SETTLED, what: `${many} writes` })
        },
        stop: async () => {
          stopped.abort()
          await running
        },
      }
    }

    for (let seed = 1; seed <= TRIALS; seed += 1) {
      const stream = seed % 2 === 0 ? 'broken' : 'kept'
      it(`with the stream ${stream}, trial ${seed}: it is noticed, and both regions have the same directory and every later write`, async () => {
        const dice = createDice(seed)
        await pair.attach()
        await healthy()
        // Both regions and the standby have this user; the change of its password is lost.
        const known = `known-${seed}`
        await createUser(west[0], pool, { username: known })
        await until(() => find(east, known), { ...SETTLED, what: 'the user at the replica' })
        const before = await renewals()

        const lost = startLoad(dice)
        try {
          await lost.more(5 + dice.below(10))
          await pair.detach()
          lost.acknowledged.clear()
          await lost.more(5 + dice.below(40))
          await createUser(west[0], pool, { username: `lost-${seed}` })
          await west[0].cognito.send(
            new AdminSetUserPasswordCommand({
              UserPoolId: pool,
              Username: known,
              Password: 'Lost-Horse-7',
              Permanent: true,
            }),
          )
          await until(() => canSignIn(east, known, 'Lost-Horse-7'), { ...SETTLED, what: 'the lost password' })
          assert.ok(await find(east, `lost-${seed}`))
        } finally {
          const old = pair.primaryPort
          if (stream === 'broken') {
            link.cut()
            await pair.kill()
            await pair.promote()
          } else {
            // In this order hardly any reading of the log fails, so the stream survives.
            await pair.promote()
            await pair.kill(old)
          }
          await lost.stop()
        }
        const later = startLoad(dice)
        try {
          await later.more(1)
          await west[1].cognito.send(
            new AdminSetUserPasswordCommand({
              UserPoolId: pool,
              Username: known,
              Password: 'Later-Horse-7',
              Permanent: true,
            }),
          )
          if (stream === 'broken') link.heal()
          await later.more(20 + dice.below(40))
        } finally {
          link.heal()
          await later.stop()
        }

        await untilEqual()
        assert.ok((await renewals()) > before, 'the promotion is noticed')
        for (const served of [west[0], east]) {
          assert.equal(await find(served, `lost-${seed}`), false)
          for (const [password, valid] of [
            ['Later-Horse-7', true],
            ['Lost-Horse-7', false],
            [PASSWORD, false],
          ] as const) {
            assert.equal(await canSignIn(served, known, password), valid, `${password} in ${served.name}`)
          }
          const present = await listUsers(served)
          for (const username of later.acknowledged.keys())
            assert.ok(present.has(username), `${username} in ${served.name}`)
          const [username, password] = [...later.acknowledged].findLast(([, changed]) => changed) ?? []
          if (username && password)
            assert.ok(await canSignIn(served, username, password), `${username} in ${served.name}`)
        }
      })
    }
  })
}
