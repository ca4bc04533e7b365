/** Pools whose sides disagree: one region was put back to an earlier state, or changed something that the other had not received. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  AdminDeleteUserCommand,
  AdminGetUserCommand,
  AdminUpdateUserAttributesCommand,
  CreateUserPoolReplicaCommand,
  DeleteUserPoolReplicaCommand,
  DescribeUserPoolCommand,
  ListUserPoolReplicasCommand,
  ListUsersCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { DisableKeyCommand, EnableKeyCommand } from '@aws-sdk/client-kms'
import type { Health } from '@twinpool/server/internal/console/health'
import { trimChanges } from '@twinpool/server/internal/store/changes'
import { holdCalls } from '@twinpool/testing/held-calls'
import { people } from '@twinpool/testing/people'
import { createClient, createUser, type TestClient } from '@twinpool/testing/pools'
import { programArguments } from '@twinpool/testing/program'
import { credentials, engines, type Plane, startRegions, until } from '@twinpool/testing/regions'
import { activateReplica, createReplicablePool, createReplicatedPool, replicaIs } from '@twinpool/testing/replicas'
import { createServiceCaller } from '@twinpool/toolkit/internal/service-call'

/** Runs the `twinpool` command. */
function twinpool(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { promise, resolve } = Promise.withResolvers<{ code: number; stdout: string; stderr: string }>()
  execFile(process.execPath, [...programArguments(), ...args], (error, stdout, stderr) =>
    resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
  )
  return promise
}

for (const engine of engines) {
  describe(`pools whose sides disagree: ${engine}`, () => {
    let plane: Plane
    before(async () => {
      plane = await startRegions({ engine })
    })
    after(() => plane.stop())

    const setStatus = (at: 'primary' | 'secondary', pool: string, Status: 'ACTIVE' | 'INACTIVE') =>
      plane[at].cognito.send(
        new UpdateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: plane.secondary.name, Status }),
      )

    it('a replica that was put back to before the key of a pool gets the key, and opens the pool', async () => {
      const { primary, secondary } = plane
      await createReplicatedPool(plane)
      await secondary.backUp()
      const pool = await createReplicablePool(plane)
      const client = await createClient(primary, pool)
      await createUser(primary, pool, { username: 'one' })
      await secondary.restart('backup')
      await primary.cognito.send(new CreateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary.name }))
      await replicaIs({ region: primary, pool, name: secondary.name, status: 'INACTIVE' })
      await activateReplica(plane, pool)
      assert.ok((await people(secondary).signIn(client, { username: 'one' })).AccessToken)
    })

    it('a first copy is not complete before the key of its pool opens, and the health of the region says why', async () => {
      const { primary, secondary } = plane
      const pool = await createReplicablePool(plane)
      const { UserPool } = await primary.cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool }))
      const KeyId = UserPool?.KeyConfiguration?.KmsKeyArn?.replace(primary.name, secondary.name)
      await secondary.kms.send(new DisableKeyCommand({ KeyId }))
      await primary.cognito.send(new CreateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary.name }))
      const readHealth = async () => {
        const response = await fetch(`${secondary.endpoint}/health`)
        return { status: response.status, health: (await response.json()) as Health }
      }
      const { status } = await until(
        async () => {
          const { status, health } = await readHealth()
          return health.checks.replicas?.detail?.startsWith('1 of the replicas here cannot be opened') && { status }
        },
        { what: 'the health of the secondary' },
      )
      assert.equal(status, 200)
      await replicaIs({ region: primary, pool, name: secondary.name, status: 'CREATING' })
      await secondary.kms.send(new EnableKeyCommand({ KeyId }))
      await replicaIs({ region: primary, pool, name: secondary.name, status: 'INACTIVE' })
      await until(async () => (await readHealth()).health.checks.replicas?.detail === undefined, { what: 'health' })
    })

    it('a replica without its store refuses calls during its first copy, whatever status it is given', async () => {
      const { primary, secondary } = plane
      const pool = await createReplicatedPool(plane)
      const client = await createClient(primary, pool)
      await createUser(primary, pool, { username: 'one' })
      const held = holdCalls((url) => url.searchParams.get('stage') === 'credential')
      try {
        await secondary.restart('nothing')
        await until(() => held.waiting.length > 0, { what: 'the copy' })
        await replicaIs({ region: primary, pool, name: secondary.name, status: 'CREATING' })
        // A region that has not received CREATING yet may set any status.
        const { store } = primary.region.context
        await store.write(async (tx) => {
          const row = await tx.lock('replica', { pool, key: secondary.name })
          const replica = JSON.parse(row?.body as string)
          const body = JSON.stringify({ ...replica, status: 'ACTIVE', version: replica.version + 1 })
          await tx.share('replica', { pool, key: secondary.name, body })
        })
        await until(
          async () => {
            const row = await secondary.region.context.store.find('replica', { pool, key: secondary.name })
            return JSON.parse(row?.body ?? '{}').status === 'ACTIVE'
          },
          { what: 'the status in the replica' },
        )
        await assert.rejects(people(secondary).signIn(client, { username: 'one' }), {
          name: 'OperationNotEnabledException',
        })
        await assert.rejects(secondary.cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username: 'one' })), {
          name: 'OperationNotEnabledException',
        })
      } finally {
        held.release()
      }
      await until(
        () =>
          people(secondary)
            .signIn(client, { username: 'one' })
            .catch((error: Error) => {
              assert.equal(error.name, 'OperationNotEnabledException')
              return undefined
            }),
        { what: 'the end of the copy' },
      )
    })

    it('an address has one holder while a pool is copied again, and a sign-in by it does not reach the old holder', async () => {
      const { primary, secondary } = plane
      const settings = { UsernameAttributes: ['email' as const], AutoVerifiedAttributes: ['email' as const] }
      const pool = await createReplicatedPool(plane, { settings })
      const client = await createClient(primary, pool)
      const [address, other] = ['One@Example.com', 'other@example.com']
      const old = await createUser(primary, pool, { username: address, password: 'Of-The-Old-1' })
      await createUser(primary, pool, { username: other })
      await until(
        () =>
          people(secondary)
            .signIn(client, { username: address, password: 'Of-The-Old-1' })
            .catch(() => undefined),
        { what: 'the user in the replica' },
      )
      await secondary.stop()
      await primary.cognito.send(new AdminDeleteUserCommand({ UserPoolId: pool, Username: address }))
      const sub = await createUser(primary, pool, { username: address, password: 'Of-The-New-1' })
      await trimChanges(primary.region.context.store.engine, Number.MAX_SAFE_INTEGER)
      const held = holdCalls((url) => url.searchParams.get('pool') === pool && url.searchParams.get('stage') === 'user')
      const list = async (Filter?: string) => {
        const { Users = [] } = await secondary.cognito.send(
          new ListUsersCommand({ UserPoolId: pool, ...(Filter && { Filter }) }),
        )
        return Users.map(({ Username, Attributes }) => ({
          sub: Username,
          email: Attributes?.find(({ Name }) => Name === 'email')?.Value,
        }))
      }
      try {
        await secondary.restart()
        await until(() => held.waiting.length > 0, { what: 'the copy' })
        // The stream brings the new row of the user; the old user and the alias row are still those of before.
        await primary.cognito.send(
          new AdminUpdateUserAttributesCommand({
            UserPoolId: pool,
            Username: address,
            UserAttributes: [{ Name: 'given_name', Value: 'One' }],
          }),
        )
        await until(() => secondary.region.context.store.find('user', { pool, key: sub }), { what: 'the new user' })
        assert.deepEqual(await list(`email = "${address}"`), [{ sub, email: address }])
        const all = await list()
        assert.deepEqual(all.map(({ email }) => email).toSorted(), [address, other, undefined])
        assert.equal(all.find((user) => user.sub === old)?.email, undefined)
        const { Username } = await secondary.cognito.send(
          new AdminGetUserCommand({ UserPoolId: pool, Username: address }),
        )
        assert.equal(Username, sub)
        await assert.rejects(people(secondary).signIn(client, { username: address, password: 'Of-The-Old-1' }), {
          name: 'NotAuthorizedException',
        })
      } finally {
        held.release()
      }
      await until(
        () =>
          people(secondary)
            .signIn(client, { username: address, password: 'Of-The-New-1' })
            .catch(() => undefined),
        { what: 'the end of the copy' },
      )
    })

    it('an acknowledged deletion wins over any number of status changes elsewhere', async () => {
      const { primary, secondary } = plane
      const pool = await createReplicatedPool(plane)
      const held = holdCalls((url) => url.pathname.endsWith('/feed'))
      try {
        for (const region of plane.regions) {
          await region.restart()
          await replicaIs({ region, pool, name: secondary.name, status: 'ACTIVE' })
        }
        await setStatus('secondary', pool, 'INACTIVE')
        await secondary.cognito.send(new DeleteUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary.name }))
        for (const status of ['INACTIVE', 'ACTIVE', 'INACTIVE', 'ACTIVE'] as const)
          await setStatus('primary', pool, status)
      } finally {
        held.release()
      }
      await replicaIs({ region: primary, pool, name: secondary.name, status: undefined })
      await primary.cognito.send(new CreateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary.name }))
      await replicaIs({ region: secondary, pool, name: secondary.name, status: 'INACTIVE' })
    })
  })

  describe(`pools that their primary does not know: ${engine}`, () => {
    let plane: Plane
    let known: string
    let kept: string
    let deleted: string
    let client: TestClient
    before(async () => {
      plane = await startRegions({ engine })
      known = await createReplicatedPool(plane)
      await plane.primary.backUp()
      kept = await createReplicatedPool(plane)
      deleted = await createReplicatedPool(plane)
      client = await createClient(plane.primary, kept)
      await createUser(plane.primary, kept, { username: 'one' })
      await until(
        () =>
          people(plane.secondary)
            .signIn(client, { username: 'one' })
            .catch(() => undefined),
        { what: 'the user in the replica' },
      )
      await plane.primary.restart('backup')
      await until(async () => (await listOrphans()).length === 2, { what: 'the orphans' })
    })
    after(() => plane.stop())

    const call = <T>(operation: string, input: object): Promise<T> =>
      createServiceCaller({ endpoint: plane.secondary.endpoint, region: plane.secondary.name, credentials })(
        operation,
        input,
      )
    const listOrphans = async () => (await call<{ UserPools: { Id: string }[] }>('ListOrphanedUserPools', {})).UserPools

    it('are listed with their users, serve on, and leave the lag of other pools as it is', async () => {
      const { primary, secondary } = plane
      const orphans = await listOrphans()
      assert.deepEqual(orphans.map(({ Id }) => Id).toSorted(), [kept, deleted].toSorted())
      const { OrphanedSince: _, ...orphan } = orphans.find(({ Id }) => Id === kept) as Record<string, unknown>
      assert.deepEqual(orphan, { Id: kept, PrimaryRegion: primary.name, Complete: true, Users: 1 })
      assert.ok((await people(secondary).signIn(client, { username: 'one' })).AccessToken)
      type Status = { Peers: { LagSeconds?: number }[]; Copies: unknown[] }
      const since = performance.now()
      await until(
        async () => {
          const { Peers, Copies } = await call<Status>('GetReplicationStatus', { UserPoolId: known })
          const lag = Peers[0]?.LagSeconds ?? Number.POSITIVE_INFINITY
          return Copies.length === 0 && performance.now() - since > 2_000 && lag < 1.5
        },
        { what: 'a small lag' },
      )
    })

    it('can be listed by the command, which refuses pools that are not orphaned', async () => {
      const { name, endpoint } = plane.secondary
      const directory = mkdtempSync(join(tmpdir(), 'twinpool-test-'))
      const file = join(directory, 'region.json')
      const config = {
        region: name,
        endpoint,
        store: { engine: 'sqlite', file: join(directory, 'unused.db') },
        credentials: [credentials],
        keys: { provider: 'local', masterKey: randomBytes(32).toString('base64') },
        cluster: { secret: randomBytes(32).toString('base64') },
      }
      writeFileSync(file, JSON.stringify(config))
      try {
        const listed = await twinpool('pool', 'orphans', '--config', file, '--json')
        assert.equal(listed.code, 1)
        assert.equal(JSON.parse(listed.stdout).UserPools.length, 2)
        const refused = await twinpool('pool', 'delete', '--config', file, '--pool', known)
        assert.equal(refused.code, 2)
        assert.match(refused.stderr, /InvalidParameterException The user pool is not orphaned/)
      } finally {
        rmSync(directory, { recursive: true })
      }
    })

    it('becomes a pool of this region when it is kept', async () => {
      const { secondary } = plane
      await call('KeepOrphanedUserPool', { UserPoolId: kept })
      const { UserPoolReplicas } = await secondary.cognito.send(new ListUserPoolReplicasCommand({ UserPoolId: kept }))
      assert.deepEqual(
        UserPoolReplicas?.map(({ RegionName, Role }) => [RegionName, Role]),
        [[secondary.name, 'PRIMARY']],
      )
      await createUser(secondary, kept, { username: 'two' })
      for (const username of ['one', 'two']) {
        assert.ok((await people(secondary).signIn(client, { username })).AccessToken)
      }
    })

    it('is removed when it is deleted', async () => {
      const { secondary } = plane
      await call('DeleteOrphanedUserPool', { UserPoolId: deleted })
      await until(
        () =>
          secondary.cognito.send(new DescribeUserPoolCommand({ UserPoolId: deleted })).then(
            () => false,
            ({ name }: Error) => name === 'ResourceNotFoundException',
          ),
        { what: 'the removal' },
      )
      assert.deepEqual(await listOrphans(), [])
    })
  })
}
