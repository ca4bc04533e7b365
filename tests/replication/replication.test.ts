/** Two live regions, each with its own port and store, over the real replication wire. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminDeleteUserCommand,
  AdminUpdateUserAttributesCommand,
  CreateUserPoolReplicaCommand,
  DeleteUserPoolReplicaCommand,
  DescribeUserPoolCommand,
  ListUserPoolReplicasCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { CreateKeyCommand, ReplicateKeyCommand } from '@aws-sdk/client-kms'
import { checksumOf } from '@twinpool/server/internal/replication/checksum'
import { trimChanges } from '@twinpool/server/internal/store/changes'
import { createPool } from '@twinpool/testing/pools'
import { credentials, engines, type Plane, type RunningRegion, startRegions, until } from '@twinpool/testing/regions'
import { createServiceCaller } from '@twinpool/toolkit/internal/service-call'

const settled = { seconds: 20, what: 'the replica' }

async function createReplicablePool({ primary, secondary }: Plane): Promise<string> {
  const { KeyMetadata } = await primary.kms.send(new CreateKeyCommand({ MultiRegion: true }))
  await primary.kms.send(new ReplicateKeyCommand({ KeyId: KeyMetadata?.KeyId, ReplicaRegion: secondary.name }))
  return createPool(primary, {
    KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: KeyMetadata?.Arn },
    IssuerConfiguration: { Type: 'UPDATED' },
  })
}

const replicate = ({ primary, secondary }: Plane, pool: string) =>
  primary.cognito.send(new CreateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary.name }))

async function statusAt({ cognito }: RunningRegion, pool: string, of: string): Promise<string | undefined> {
  const { UserPoolReplicas } = await cognito.send(new ListUserPoolReplicasCommand({ UserPoolId: pool }))
  return UserPoolReplicas?.find(({ RegionName }) => RegionName === of)?.Status
}

const createUsers = async ({ cognito }: RunningRegion, pool: string, names: readonly string[]): Promise<void> => {
  for (const name of names) {
    await cognito.send(new AdminCreateUserCommand({ UserPoolId: pool, Username: name, MessageAction: 'SUPPRESS' }))
  }
}

const storeOf = ({ region }: RunningRegion) => region.context.store

async function areEqual({ regions }: Plane, pool: string): Promise<boolean> {
  const sums = await Promise.all(
    regions.map(async (region) => (await checksumOf(storeOf(region), pool, Date.now())).checksum),
  )
  return new Set(sums).size === 1
}

const untilEqual = (plane: Plane, pool: string) =>
  until(() => areEqual(plane, pool), { ...settled, what: 'equal directories' })

const untilStatus = (region: RunningRegion, pool: string, of: string, status: string | undefined) =>
  until(async () => (await statusAt(region, pool, of)) === status, { ...settled, what: `status ${status}` })

interface Told {
  Peers: { Region: string; Connected: boolean; Problem?: string; Position?: number; LagSeconds?: number }[]
  Copies: { UserPoolId: string; Purpose: string; Rows: number; EstimatedRows: number }[]
  UserPool?: { Role: string; Status: string; LagSeconds?: number }
}

const ask = ({ endpoint, name }: RunningRegion) => createServiceCaller({ endpoint, region: name, credentials })
const statusOf = (region: RunningRegion, pool?: string): Promise<Told> =>
  ask(region)<Told>('GetReplicationStatus', { UserPoolId: pool })

for (const engine of engines) {
  describe(`replication: ${engine}`, () => {
    let plane: Plane
    let pool: string

    before(async () => {
      plane = await startRegions({ engine })
      pool = await createReplicablePool(plane)
      await createUsers(plane.primary, pool, ['ada', 'bob', 'eve'])
    })
    after(() => plane.stop())

    it('a replica is CREATING, then INACTIVE in both regions, and has equal rows', async () => {
      const { primary, secondary } = plane
      const { UserPoolReplica } = await replicate(plane, pool)
      assert.equal(UserPoolReplica?.Status, 'CREATING')
      await untilStatus(primary, pool, secondary.name, 'INACTIVE')
      assert.equal(await statusAt(secondary, pool, secondary.name), 'INACTIVE')
      await untilEqual(plane, pool)
      const { rows } = await checksumOf(storeOf(secondary), pool, Date.now())
      assert.equal(rows.user, 3)
      assert.equal(rows.alias, 3)
    })

    it('a write at the primary reaches the replica', async () => {
      const { primary } = plane
      await createUsers(primary, pool, ['dan'])
      await primary.cognito.send(
        new AdminUpdateUserAttributesCommand({
          UserPoolId: pool,
          Username: 'ada',
          UserAttributes: [{ Name: 'name', Value: 'Ada' }],
        }),
      )
      await primary.cognito.send(new AdminDeleteUserCommand({ UserPoolId: pool, Username: 'eve' }))
      await untilEqual(plane, pool)
      const { Checksum, Users } = await ask(plane.secondary)<{ Checksum: string; Users: number }>(
        'GetDirectoryChecksum',
        { UserPoolId: pool },
      )
      assert.equal(Users, 3)
      assert.equal(Checksum, (await checksumOf(storeOf(primary), pool, Date.now())).checksum)
    })

    it('a status that is set in either region applies in both', async () => {
      const { primary, secondary } = plane
      const set = (region: RunningRegion, Status: 'ACTIVE' | 'INACTIVE') =>
        region.cognito.send(new UpdateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary.name, Status }))
      await set(primary, 'ACTIVE')
      await untilStatus(secondary, pool, secondary.name, 'ACTIVE')
      await set(secondary, 'INACTIVE')
      await untilStatus(primary, pool, secondary.name, 'INACTIVE')
      await set(secondary, 'ACTIVE')
      await untilStatus(primary, pool, secondary.name, 'ACTIVE')
    })

    it('a shared fact is replicated both ways, and is logged once in each region', async () => {
      const { primary, secondary } = plane
      const share = (region: RunningRegion, key: string, before: number) =>
        storeOf(region).write((tx) => tx.share('sign-out', { pool, key, body: JSON.stringify({ before }) }))
      await share(secondary, 'from-the-replica', 5)
      await share(primary, 'from-the-primary', 6)
      await share(primary, 'from-both', 7)
      await share(secondary, 'from-both', 8)
      await untilEqual(plane, pool)
      for (const region of plane.regions) {
        const row = await storeOf(region).find('sign-out', { pool, key: 'from-both' })
        assert.deepEqual(JSON.parse(row?.body as string), { before: 8 })
        assert.equal(await storeOf(region).count('sign-out', { pool }), 3)
      }
    })

    it('a write during an outage of the replica reaches it when it returns', async () => {
      const { primary, secondary } = plane
      await secondary.stop()
      await createUsers(primary, pool, ['fay', 'gus'])
      await secondary.restart()
      await untilEqual(plane, pool)
      assert.equal((await statusOf(secondary, pool)).Copies.length, 0)
    })

    it('a sign-out at the replica during an outage of the primary reaches the primary when it returns', async () => {
      const { primary, secondary } = plane
      await primary.stop()
      await storeOf(secondary).write((tx) => tx.share('sign-out', { pool, key: 'lonely', body: '{"before":9}' }))
      await until(async () => (await statusOf(secondary)).Peers[0]?.Connected === false, settled)
      await primary.restart()
      await until(async () => storeOf(primary).find('sign-out', { pool, key: 'lonely' }), settled)
      await untilEqual(plane, pool)
    })

    it('reports its lag: small while connected, growing while not, and in a response header of the replica', async () => {
      const { primary, secondary } = plane
      const lag = async () => (await statusOf(secondary, pool)).UserPool?.LagSeconds ?? Number.POSITIVE_INFINITY
      await until(async () => (await lag()) < 2, settled)
      assert.equal((await statusOf(primary, pool)).UserPool?.LagSeconds, 0)
      let header: string | undefined
      secondary.cognito.middlewareStack.add(
        (next) => async (request) => {
          const result = await next(request)
          header = (result.response as { headers: Record<string, string> }).headers['x-twinpool-lag-seconds']
          return result
        },
        { step: 'deserialize', name: 'header', override: true },
      )
      await secondary.cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool }))
      assert.match(header ?? '', /^\d+\.\d{3}$/)
      await primary.stop()
      const before = await lag()
      await until(async () => (await lag()) > before + 0.05, settled)
      await primary.restart()
      await until(async () => (await statusOf(secondary)).Peers[0]?.Connected, settled)
      const metrics = await (await fetch(`${secondary.endpoint}/metrics`)).text()
      assert.match(metrics, /twinpool_replication_lag_seconds\{[^}]*peer="us-west-2"[^}]*\} \d/)
    })

    it('copies again when the log was trimmed past its position, and does not restore rows removed in between', async () => {
      const { primary, secondary } = plane
      await secondary.stop()
      await primary.cognito.send(new AdminDeleteUserCommand({ UserPoolId: pool, Username: 'fay' }))
      await createUsers(primary, pool, ['hal'])
      await trimChanges(storeOf(primary).engine, Number.MAX_SAFE_INTEGER)
      await createUsers(primary, pool, ['ida'])
      await secondary.restart()
      assert.equal(await statusAt(secondary, pool, secondary.name), 'ACTIVE')
      await untilEqual(plane, pool)
      await until(async () => (await statusOf(secondary)).Copies.length === 0, settled)
      assert.equal(await statusAt(secondary, pool, secondary.name), 'ACTIVE')
    })

    it('a deleted replica is removed from its region, and can be created again', async () => {
      const { primary, secondary } = plane
      await primary.cognito.send(
        new UpdateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary.name, Status: 'INACTIVE' }),
      )
      await untilStatus(secondary, pool, secondary.name, 'INACTIVE')
      await primary.cognito.send(new DeleteUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary.name }))
      await untilStatus(primary, pool, secondary.name, undefined)
      const { rows } = await checksumOf(storeOf(secondary), pool, Date.now())
      assert.deepEqual(
        Object.entries(rows).filter(([, count]) => count > 0),
        [['replica', 1]],
      )
      await assert.rejects(secondary.cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool })), {
        name: 'ResourceNotFoundException',
      })
      await createUsers(primary, pool, ['jon'])
      await replicate(plane, pool)
      await untilStatus(primary, pool, secondary.name, 'INACTIVE')
      await untilEqual(plane, pool)
    })
  })
}
