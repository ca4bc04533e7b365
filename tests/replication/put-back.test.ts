/** A backup takes the place of the SQLite file of a running region. */
import assert from 'node:assert/strict'
import { copyFileSync, renameSync, rmSync } from 'node:fs'
import { backup, DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { AdminCreateUserCommand, AdminGetUserCommand } from '@aws-sdk/client-cognito-identity-provider'
import { checksumOf } from '@twinpool/server/internal/replication/checksum'
import { people } from '@twinpool/testing/people'
import { createClient, createUser, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, type RunningRegion, startRegions, until } from '@twinpool/testing/regions'
import { createReplicatedPool } from '@twinpool/testing/replicas'
import { sql } from 'kysely'

describe('a file put back under a running process', {
  skip: !engines.includes('sqlite') && 'SQLite is not asked for',
}, () => {
  let plane: Plane
  let pool: string
  let file: string

  before(async () => {
    plane = await startRegions()
    pool = await createReplicatedPool(plane)
    const { rows } = await sql<{ file: string }>`pragma database_list`.execute(storeOf(plane.primary).db)
    file = rows[0]?.file as string
  })
  after(() => plane.stop())

  const storeOf = ({ region }: RunningRegion) => region.context.store
  const create = ({ cognito }: RunningRegion, Username: string) =>
    cognito.send(new AdminCreateUserCommand({ UserPoolId: pool, Username, MessageAction: 'SUPPRESS' }))
  const isIn = ({ cognito }: RunningRegion, Username: string): Promise<boolean> =>
    cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username })).then(
      () => true,
      () => false,
    )
  const areEqual = async (): Promise<boolean> => {
    const sums = plane.regions.map(async (region) => (await checksumOf(storeOf(region), pool, Date.now())).checksum)
    return new Set(await Promise.all(sums)).size === 1
  }
  const renewals = async (): Promise<number> => {
    const text = await plane.primary.region.context.events.registry.metrics()
    return Number(/^twinpool_events_total\{event="log-renewed".*\} (\d+)$/m.exec(text)?.[1] ?? 0)
  }
  const ways: Record<string, (from: string) => Promise<void>> = {
    'renamed over the file': async (from) => renameSync(from, file),
    'copied after the file was removed': async (from) => {
      for (const path of [file, `${file}-wal`, `${file}-shm`]) rmSync(path)
      copyFileSync(from, file)
    },
    'restored with the backup API': async (from) => {
      const source = new DatabaseSync(from)
      await backup(source, file)
      source.close()
    },
  }

  for (const [at, [way, putBack]] of Object.entries(ways).entries()) {
    it(`${way}: it is noticed, and both regions have the same directory and every later write`, async () => {
      const [kept, lost, later] = [`kept-${at}`, `lost-${at}`, `later-${at}`] as const
      await create(plane.primary, kept)
      const copy = `${file}.${at}`
      await sql`vacuum into ${copy}`.execute(storeOf(plane.primary).db)
      const lostClient: TestClient = await createClient(plane.primary, pool)
      await createUser(plane.primary, pool, { username: lost })
      await people(plane.primary).signIn(lostClient, { username: lost })
      await until(() => isIn(plane.secondary, lost), { what: 'the user that is lost' })
      const before = await renewals()

      await putBack(copy)
      await create(plane.primary, later)
      assert.equal(await isIn(plane.primary, lost), false)
      await assert.rejects(people(plane.primary).signIn(lostClient, { username: kept }), {
        name: 'ResourceNotFoundException',
      })
      await until(areEqual, { what: 'equal directories' })
      assert.equal(await renewals(), before + 1)
      for (const region of plane.regions) {
        assert.deepEqual(await Promise.all([kept, lost, later].map((name) => isIn(region, name))), [true, false, true])
      }
    })
  }
})
