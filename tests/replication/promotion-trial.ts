/** A primary region whose PostgreSQL fails over under load to a standby that lacks the last transactions, and its replica region. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  AdminSetUserPasswordCommand,
  paginateListUsers,
} from '@aws-sdk/client-cognito-identity-provider'
import { people } from '@twinpool/testing/people'
import { createDice, type Dice } from '@twinpool/testing/plane-of-stores'
import { createClient, createUser, PASSWORD } from '@twinpool/testing/pools'
import type { PostgresPair } from '@twinpool/testing/postgres-pair'
import { credentials, freePorts, until } from '@twinpool/testing/regions'
import { createReplicatedPool } from '@twinpool/testing/replicas'
import { type ServedOptions, type ServedRegion, serveRegion } from '@twinpool/testing/served-region'
import { createServiceCaller } from '@twinpool/toolkit/internal/service-call'
import { type LinkProxy, startLinkProxy } from 'twinpool/internal/link-proxy'

const [WEST, EAST] = ['us-west-2', 'us-east-1'] as const
const WRITERS = 4
const SETTLED = { seconds: 30 }

/** A user, and the password that was acknowledged for it, if any. */
type Writes = Map<string, string | undefined>

export interface PromotionPlane {
  /** The stream from the primary region to the replica. */
  link: LinkProxy
  startTrial(seed: number): Promise<Trial>
  stop(): Promise<void>
}

/** The steps of one failover, in their order. */
interface Trial {
  /** The load lasts until `endLoad`. */
  startLoad(): Promise<void>
  /** Resolves when the replica has changes that the detached standby lacks. */
  writeTail(): Promise<void>
  endLoad(): Promise<void>
  /** The first acknowledged writes after the promotion. */
  resume(): Promise<void>
  /** More writes, then the comparison of both regions. */
  check(): Promise<void>
}

export interface Failover {
  seed: number
  /** The servers of all planes. */
  pair: Pick<PostgresPair, 'attach' | 'detach'>
  /** Ends the primary, and promotes the standby. */
  failOver(): Promise<void>
}

/** One failover of the servers of one or several regions. */
export async function runTrial(planes: readonly PromotionPlane[], { seed, pair, failOver }: Failover): Promise<void> {
  await pair.attach()
  const trials = await Promise.all(planes.map((plane) => plane.startTrial(seed)))
  const each = (step: keyof Trial) => Promise.all(trials.map((trial) => trial[step]()))
  try {
    await each('startLoad')
    await pair.detach()
    await each('writeTail')
  } finally {
    await failOver()
    await each('endLoad')
  }
  try {
    await each('resume')
  } finally {
    for (const { link } of planes) link.heal()
  }
  await each('check')
}

/** `url` is the store of the primary region, which runs in two processes; the replica is on SQLite. */
export async function startPromotionPlane(url: string): Promise<PromotionPlane> {
  const [westPort, otherPort, eastPort] = (await freePorts(3)) as [number, number, number]
  const link = await startLinkProxy({ targetPort: westPort })
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
  const ofWest = {
    ...config(WEST, westPort, EAST, eastPort),
    store: { engine: 'postgres' as const, url, connections: 6, statementSeconds: 2 },
  }
  const running: ServedRegion[] = []
  const serve = async (options: NonNullable<ServedOptions['config']>): Promise<ServedRegion> => {
    const served = await serveRegion({ config: options })
    running.push(served)
    return served
  }
  const stop = async (): Promise<void> => {
    if (process.env.TWINPOOL_TEST_LOG) process.stderr.write(running.map(({ log }) => log).join(''))
    await Promise.all(running.map((served) => served.stop()))
    await link.close()
  }
  const start = async () => {
    const west: [ServedRegion, ServedRegion] = [
      await serve(ofWest),
      await serve({ ...ofWest, listen: { port: otherPort } }),
    ]
    const east = await serve(config(EAST, eastPort, WEST, link.port))
    const pool = await createReplicatedPool({ primary: west[0], secondary: east, regions: [west[0], east] })
    return { west, east, pool, client: await createClient(west[0], pool) }
  }
  const { west, east, pool, client } = await start().catch(async (error: unknown) => {
    await stop()
    throw error
  })
  let count = 0

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
  const setPassword = ({ cognito }: ServedRegion, Username: string, Password: string) =>
    cognito.send(new AdminSetUserPasswordCommand({ UserPoolId: pool, Username, Password, Permanent: true }))

  /** Writers that create users and change passwords in both processes until they are stopped. */
  const startWriters = (dice: Dice) => {
    const acknowledged: Writes = new Map()
    const stopped = new AbortController()
    let writes = 0
    const change = async (served: ServedRegion, username: string): Promise<void> => {
      const password = `Changed-${count++}-Horse`
      await setPassword(served, username, password)
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

  const startTrial = async (seed: number): Promise<Trial> => {
    const dice = createDice(seed)
    await healthy()
    // Both regions and the standby have this user; the change of its password is lost.
    const known = `known-${seed}`
    await createUser(west[0], pool, { username: known })
    await until(() => find(east, known), { ...SETTLED, what: 'the user at the replica' })
    const before = await renewals()
    let lost: ReturnType<typeof startWriters> | undefined
    let later: ReturnType<typeof startWriters> | undefined

    return {
      startLoad: async () => {
        lost = startWriters(dice)
        await lost.more(5 + dice.below(10))
      },
      writeTail: async () => {
        await lost?.more(5 + dice.below(40))
        await createUser(west[0], pool, { username: `lost-${seed}` })
        await setPassword(west[0], known, 'Lost-Horse-7')
        await until(() => canSignIn(east, known, 'Lost-Horse-7'), { ...SETTLED, what: 'the lost password' })
        assert.ok(await find(east, `lost-${seed}`))
      },
      endLoad: async () => void (await lost?.stop()),
      resume: async () => {
        later = startWriters(dice)
        await later.more(1)
        await setPassword(west[1], known, 'Later-Horse-7')
      },
      check: async () => {
        assert.ok(later)
        await later.more(20 + dice.below(40)).finally(later.stop)
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
      },
    }
  }
  return { link, startTrial, stop }
}
