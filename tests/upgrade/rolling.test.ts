/**
 * Regions that are upgraded one after another. The newer build is this process (newer-build.ts). The older build is `twinpool
 * serve` in another process: this checkout without the new kinds, or a really older build if TWINPOOL_OLDER_BUILD names its
 * `main.ts`.
 */
import './newer-build.ts'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  type CognitoIdentityProviderClient,
  GetUserCommand,
  InitiateAuthCommand,
  RevokeTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import type { RegionConfigInput } from '@twinpool/server'
import { systemClock } from '@twinpool/server/internal/clock'
import { checksumOf } from '@twinpool/server/internal/replication/checksum'
import { openStore } from '@twinpool/server/internal/store/store'
import { createDatabase, dropDatabase, type TestDatabase } from '@twinpool/testing/databases'
import { createClient, createPool, createUser, PASSWORD, type TestClient } from '@twinpool/testing/pools'
import { engines, freePorts, until } from '@twinpool/testing/regions'
import { createReplicatedPool, replicaIs } from '@twinpool/testing/replicas'
import { loneConfig, type ServedRegion, serveRegion } from '@twinpool/testing/served-region'
import { COLUMN, DEVICE, LEDGER } from './newer-build.ts'
import { type RegionHere, startHere } from './regions-here.ts'

const [WEST, EAST] = ['us-west-2', 'us-east-1'] as const
const program = process.env.TWINPOOL_OLDER_BUILD
const serveOlder = (config: RegionConfigInput): Promise<ServedRegion> => serveRegion({ config, program })

type Here = RegionHere
type Reached = Pick<Here, 'name' | 'cognito' | 'kms'>

const signIn = async ({ cognito }: Pick<Reached, 'cognito'>, client: TestClient) => {
  const AuthParameters = { USERNAME: 'ada', PASSWORD }
  const call = { ClientId: client.id, AuthFlow: 'USER_PASSWORD_AUTH' as const, AuthParameters }
  return (await cognito.send(new InitiateAuthCommand(call))).AuthenticationResult as {
    AccessToken: string
    RefreshToken: string
  }
}

const create = (cognito: CognitoIdentityProviderClient, pool: string, username: string) =>
  cognito.send(new AdminCreateUserCommand({ UserPoolId: pool, Username: username, MessageAction: 'SUPPRESS' }))

const seen = (cognito: CognitoIdentityProviderClient, pool: string, username: string) =>
  until(
    () =>
      cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username: username })).then(
        () => true,
        () => false,
      ),
    { what: `${username} in the other region` },
  )

/** Creates a database and records it, so that it is dropped at the end. */
async function newDatabase(databases: TestDatabase[]): Promise<string> {
  const database = await createDatabase()
  databases.push(database)
  return database.url
}

for (const engine of engines) {
  for (const newer of ['primary', 'secondary'] as const) {
    describe(`two regions, the ${newer} of a newer build, on ${engine}`, () => {
      const directory = mkdtempSync(join(tmpdir(), 'twinpool-rolling-'))
      const databases: TestDatabase[] = []
      const configs = {} as Record<typeof WEST | typeof EAST, RegionConfigInput>
      /** The region in this process and the region in another process; undefined while a region is being upgraded. */
      const here: Partial<Record<string, Here>> = {}
      let older: ServedRegion | undefined
      let pool: string
      let client: TestClient
      const [olderName, newerName] = newer === 'primary' ? ([EAST, WEST] as const) : ([WEST, EAST] as const)
      const regionOf = (name: string): Reached => (here[name] ?? older) as Reached

      before(async () => {
        const ports = await freePorts(2)
        const endpoints = { [WEST]: `http://127.0.0.1:${ports[0]}`, [EAST]: `http://127.0.0.1:${ports[1]}` }
        for (const [at, [name, peer]] of [[WEST, EAST] as const, [EAST, WEST] as const].entries()) {
          configs[name] = await loneConfig({
            region: name,
            listen: { port: ports[at] },
            issuerBase: 'http://id.test',
            peers: { [peer]: { endpoint: endpoints[peer] } },
            store:
              engine === 'sqlite'
                ? { engine, file: join(directory, `${name}.db`) }
                : { engine, url: await newDatabase(databases), connections: 6 },
          })
        }
        older = await serveOlder(configs[olderName])
        here[newerName] = await startHere(configs[newerName])
        const [primary, secondary] = [regionOf(WEST), regionOf(EAST)]
        pool = await createReplicatedPool({ primary, secondary, regions: [primary, secondary] })
        client = await createClient(primary, pool, { EnableTokenRevocation: true })
        await createUser(primary, pool, { username: 'ada' })
        await seen(secondary.cognito, pool, 'ada')
      })
      after(async () => {
        await older?.stop()
        for (const region of Object.values(here)) await region?.stop()
        for (const database of databases) await dropDatabase(database)
        rmSync(directory, { recursive: true, force: true })
      })

      /** Writes a row of a new kind, a value in the new column, and a new fact, as far as the region's role allows. */
      const writeNews = async ({ store, name }: Here, key: string): Promise<void> => {
        await store.write(async (tx) => {
          await tx.share(LEDGER, { pool, key: `${key} of ${name}`, body: '1' })
          if (name !== WEST) return
          const [user] = await tx.list('user', { pool, limit: 1 })
          await tx.put(DEVICE, { pool, key, body: '{}', fields: { sub: user?.key } as object })
          await tx.put(DEVICE, { pool, key: 'removed', body: '{}' })
          if (user) await tx.put('user', { ...user, fields: { ...user.fields, [COLUMN]: key } as object })
        })
        if (name === WEST) await store.write((tx) => tx.remove(DEVICE, { pool, key: 'removed' }))
      }

      /** Old kinds are replicated both ways: a user from the primary, a revocation from the secondary. */
      const goesOn = async (username: string): Promise<void> => {
        const [primary, secondary] = [regionOf(WEST), regionOf(EAST)]
        await create(primary.cognito, pool, username)
        await seen(secondary.cognito, pool, username)
        const { AccessToken, RefreshToken } = await signIn(secondary, client)
        await secondary.cognito.send(
          new RevokeTokenCommand({ ClientId: client.id, ClientSecret: client.secret, Token: RefreshToken }),
        )
        await until(
          () =>
            primary.cognito.send(new GetUserCommand({ AccessToken })).then(
              () => false,
              () => true,
            ),
          { what: 'the revocation in the primary' },
        )
      }

      const areEqual = async (): Promise<void> => {
        const [west, east] = [here[WEST] as Here, here[EAST] as Here]
        const both = () => Promise.all([west, east].map(({ store }) => checksumOf(store, pool, Date.now())))
        await until(async () => {
          const [a, b] = await both()
          return a?.checksum === b?.checksum
        })
        const [a, b] = await both()
        assert.deepEqual(a, b)
      }

      const storeOf = (name: typeof WEST | typeof EAST) => configs[name].store as Parameters<typeof openStore>[0]

      /** Restarts a region as a newer build. It serves at once, and receives the new rows (facts, devices) later. */
      const upgrade = async (name: typeof WEST | typeof EAST, present: readonly [number, number]): Promise<void> => {
        await older?.stop()
        older = undefined
        const store = await openStore(storeOf(name), { clock: systemClock, region: name })
        const found = [await store.count(LEDGER, { pool }), await store.count(DEVICE, { pool })]
        assert.deepEqual(found, present, 'the rows of new kinds in the store of the older build')
        await store.close()
        here[name] = await startHere(configs[name])
        await signIn(regionOf(name), client)
        for (const region of [regionOf(WEST), regionOf(EAST)]) {
          await replicaIs({ region, pool, name: EAST, status: 'ACTIVE' })
        }
      }

      it('replicate the kinds that both know, both ways', async () => {
        await writeNews(here[newerName] as Here, 'first')
        await goesOn('grace')
      })

      it('replicate all kinds once the other is upgraded, and are equal', async () => {
        await upgrade(olderName, [0, 0])
        await until(async () => {
          const other = here[olderName] as Here
          return (await other.store.count(LEDGER, { pool })) === 1
        })
        await areEqual()
        await writeNews(here[WEST] as Here, 'second')
        await writeNews(here[EAST] as Here, 'second')
        await goesOn('joan')
        await areEqual()
        const { rows } = await checksumOf((here[EAST] as Here).store, pool, Date.now())
        assert.equal(rows[DEVICE], newer === 'primary' ? 2 : 1)
        assert.equal(rows[LEDGER], 3)
        const { store } = here[EAST] as Here
        const found = await store.list('user', { pool, where: { [COLUMN]: 'second' } as object, limit: 2 })
        assert.equal(found.length, 1)
      })

      it('are equal again after one was downgraded for a while', async () => {
        await here[olderName]?.stop()
        here[olderName] = undefined
        older = await serveOlder(configs[olderName])
        await writeNews(here[newerName] as Here, 'third')
        await goesOn('mary')
        await upgrade(olderName, [3, newer === 'primary' ? 2 : 1])
        await until(async () => (await (here[olderName] as Here).store.count(LEDGER, { pool })) === 4)
        await areEqual()
      })
    })
  }
}

describe('a region with one process of an older and one of a newer build', {
  skip: !engines.includes('postgres') && 'no PostgreSQL is asked for',
}, () => {
  it('serves without an error during a rolling upgrade and downgrade', async () => {
    const database = await createDatabase()
    const { url } = database
    const configs = await Promise.all(
      [1, 2].map(() =>
        loneConfig({ store: { engine: 'postgres', url, connections: 6 }, endpoint: 'http://west.test' }),
      ),
    )
    const [one, two] = configs as [RegionConfigInput, RegionConfigInput]
    let first: ServedRegion = await serveOlder(one)
    const pool = await createPool(first)
    const client = await createClient(first, pool)
    await createUser(first, pool, { username: 'ada' })

    const doors = new Set<Pick<Reached, 'cognito'>>([first])
    const load = new AbortController()
    const failures: unknown[] = []
    let calls = 0
    const keepCalling = async (caller: number): Promise<void> => {
      for (let at = 0; !load.signal.aborted; at += 1) {
        const open = [...doors]
        const { cognito } = open[at % open.length] as Reached
        try {
          const username = `user-${caller}-${at}`
          await create(cognito, pool, username)
          await cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username: username }))
          await signIn({ cognito }, client)
          calls += 3
        } catch (error) {
          failures.push(error)
        }
      }
    }
    const callers = [0, 1, 2, 3].map(keepCalling)
    const more = async (): Promise<void> => {
      const enough = calls + 60
      await until(() => calls >= enough || failures.length > 0, { what: 'more calls' })
    }
    /** Calls in flight end at the process where they began. */
    const retire = async (door: ServedRegion | Here): Promise<void> => {
      doors.delete(door)
      await more()
      await door.stop()
    }

    await more()
    let second = await startHere(two)
    doors.add(second)
    await more()
    await second.store.write((tx) => tx.put(DEVICE, { pool, key: 'a device', body: '{}' }))
    await retire(first)
    first = await serveOlder(one)
    doors.add(first)
    await more()
    await retire(second)
    await more()
    second = await startHere(two)
    doors.add(second)
    await more()
    load.abort()
    await Promise.all(callers)
    assert.deepEqual(failures, [])
    assert.equal(await second.store.count(DEVICE, { pool }), 1)
    await first.stop()
    await second.stop()
    await dropDatabase(database)
  })
})
