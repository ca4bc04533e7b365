/** A pool gets new data keys; values sealed under older ones stay readable, in every region. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { AdminGetUserCommand, UpdateUserPoolCommand } from '@aws-sdk/client-cognito-identity-provider'
import { CreateKeyCommand } from '@aws-sdk/client-kms'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser, type TestClient } from '@twinpool/testing/pools'
import { credentials, engines, type Plane, type RunningRegion, startRegions, until } from '@twinpool/testing/regions'
import { createReplicatedPool } from '@twinpool/testing/replicas'
import { createServiceCaller } from '@twinpool/toolkit'
import { SealBrokenError } from '../../keys/pool-keys.ts'
import { FIRST_RELEASE_KINDS, formatKinds, kindsOfThisBuild } from '../../replication/known-kinds.ts'
import { readLogState, trimChanges } from '../../store/changes.ts'
import { putPeerKinds } from '../../store/cursors.ts'
import { type RotationContext, type RotationLimits, requestDataKey, rotateDataKeys } from './data-key-rotation.ts'

const DAY = 86_400_000
const NEVER: RotationLimits = { afterDays: 36_500, afterSeals: 2 ** 32 }

for (const engine of engines) {
  describe(`the data keys of a pool, on ${engine}`, () => {
    let plane: Plane
    let pool: string
    let client: TestClient
    before(async () => {
      plane = await startRegions({ engine })
      pool = await createReplicatedPool(plane)
      client = await createClient(plane.primary, pool)
      await createUser(plane.primary, pool, { username: 'ada' })
    })
    after(() => plane?.stop())

    /** The parts of a region, `ahead` milliseconds later. */
    const contextOf = ({ region: { context } }: RunningRegion, ahead = 0): RotationContext => ({
      ...context,
      clock: { ...context.clock, now: () => context.clock.now() + ahead },
      hasOlderProcesses: async () => false,
    })
    const cipherOf = ({ region: { context } }: RunningRegion) => context.keys.get(pool)
    const newest = () => plane.primary.region.context.keys.newest(pool)
    /** Sweeps as in a minute, until the newest data key seals. */
    const activate = () =>
      until(
        async () => {
          await rotateDataKeys(contextOf(plane.primary, 60_000), NEVER)
          return (await newest()).active
        },
        { what: 'the new data key to be active' },
      )
    const reads = ({ cognito }: RunningRegion) =>
      cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username: 'ada' }))

    it('open what was sealed under an older one, in both regions, and find users by name', async () => {
      const { primary, secondary } = plane
      const before = await people(primary).signIn(client, { username: 'ada' })
      assert.deepEqual(await requestDataKey(contextOf(primary), await primary.region.context.pools.get(pool)), {
        number: 1,
        created: (await newest()).created,
        active: false,
      })
      assert.equal(
        (await cipherOf(primary)).seal('session', Buffer.from('x'))[0],
        1,
        'a pending data key seals nothing',
      )
      await activate()
      for (const region of [primary, secondary]) {
        await until(async () => (await cipherOf(region)).seal('session', Buffer.from('x'))[0] === 3)
        await reads(region)
        const { AccessToken } = await people(region).refresh(client, before.RefreshToken, { username: 'ada' })
        assert.ok(AccessToken)
      }
      const sealed = (await cipherOf(primary)).seal('row', Buffer.from('a row'), 'a binding')
      assert.deepEqual([...sealed.subarray(0, 3)], [3, 0, 1])
      assert.equal((await cipherOf(secondary)).open('row', sealed, 'a binding').toString(), 'a row')
      const tokens = await people(primary).signIn(client, { username: 'ada' })
      await people(secondary).refresh(client, tokens.RefreshToken, { username: 'ada' })
      await createUser(primary, pool, { username: 'grace' })
      await until(() =>
        people(secondary)
          .signIn(client, { username: 'grace' })
          .then(
            () => true,
            () => false,
          ),
      )
    })

    it('are pending until every region of the pool has acknowledged them', async () => {
      const { primary, secondary } = plane
      await secondary.stop()
      const context = contextOf(primary, 60_000)
      await requestDataKey(context, await primary.region.context.pools.get(pool))
      for (let time = 0; time < 3; time += 1) await rotateDataKeys(context, NEVER)
      assert.equal((await newest()).active, false)
      await secondary.restart()
      await activate()
    })

    it('are pending while a region is away for longer than the log was kept', async () => {
      const { primary, secondary } = plane
      await secondary.stop()
      const context = contextOf(primary, 60_000)
      await requestDataKey(context, await primary.region.context.pools.get(pool))
      const { engine } = primary.region.context.store
      await trimChanges(engine, (await readLogState(engine)).head)
      for (let time = 0; time < 3; time += 1) await rotateDataKeys(context, NEVER)
      assert.equal((await newest()).active, false)
      await secondary.restart()
      await activate()
      await reads(secondary)
    })

    it('are not created while a region of the pool runs a build that cannot open values under them', async () => {
      const { primary, secondary } = plane
      const { store, pools } = primary.region.context
      const { number } = await newest()
      await store.transaction((connection) =>
        putPeerKinds(connection, secondary.name, formatKinds(FIRST_RELEASE_KINDS)),
      )
      await assert.rejects(requestDataKey(contextOf(primary), await pools.get(pool)), /runs a version without rotation/)
      await rotateDataKeys(contextOf(primary, 400 * DAY), { ...NEVER, afterDays: 365 })
      await store.transaction((connection) => putPeerKinds(connection, secondary.name, formatKinds(kindsOfThisBuild())))
      const older = { ...contextOf(primary), hasOlderProcesses: async () => true }
      await assert.rejects(requestDataKey(older, await pools.get(pool)), /runs a version without rotation/)
      assert.equal((await newest()).number, number)
    })

    it('are created by age, and by the seals of all regions together', async () => {
      const { primary, secondary } = plane
      const { number } = await newest()
      await rotateDataKeys(contextOf(primary, 364 * DAY), { ...NEVER, afterDays: 365 })
      assert.equal((await newest()).number, number)
      await rotateDataKeys(contextOf(primary, 366 * DAY), { ...NEVER, afterDays: 365 })
      assert.equal((await newest()).number, number + 1)
      await activate()
      await until(async () => (await cipherOf(secondary)).seal('session', Buffer.from('x'))[2] === number + 1)
      for (const region of [primary, secondary]) {
        const cipher = await cipherOf(region)
        for (let time = 0; time < 70_000; time += 1) cipher.seal('session', Buffer.alloc(0))
        await rotateDataKeys(contextOf(region), NEVER)
      }
      assert.equal((await newest()).number, number + 1)
      await until(
        async () => {
          await rotateDataKeys(contextOf(primary), { ...NEVER, afterSeals: 140_000 })
          return (await newest()).number === number + 2
        },
        { what: 'the count of the secondary' },
      )
    })

    it('keep their counts of seals when a write fails, and save all counts when the region stops', async () => {
      const alone = await startRegions({ engine, regions: ['us-west-2'] })
      const { primary } = alone
      const { context } = primary.region
      const { close } = context.store
      try {
        const counted = await createPool(primary)
        const saved = async (): Promise<number> => {
          const [row] = await context.store.list('seal-count', { pool: counted, limit: 10 })
          return row ? JSON.parse(row.body).count : 0
        }
        const cipher = await context.keys.get(counted)
        for (let time = 0; time < 70_000; time += 1) cipher.seal('session', Buffer.alloc(0))
        const failures: string[] = []
        const broken: RotationContext = {
          ...contextOf(primary),
          store: { ...context.store, write: () => Promise.reject(new Error('no store')) },
          events: { ...context.events, failed: ({ operation }) => void failures.push(operation) },
        }
        await rotateDataKeys(broken, NEVER)
        assert.deepEqual([failures, await saved()], [['save of the counts of seals'], 0])
        await rotateDataKeys(contextOf(primary), NEVER)
        const before = await saved()
        assert.ok(before >= 70_000, String(before))
        cipher.seal('session', Buffer.alloc(0))
        context.store.close = async () => {}
        await primary.region.stop()
        assert.equal(await saved(), before + 1)
      } finally {
        await alone.stop()
        await close()
      }
    })

    it('are created by the operation RotateDataKey, at the primary', async () => {
      const alone = await createPool(plane.primary)
      const caller = ({ endpoint, name }: RunningRegion) =>
        createServiceCaller({ endpoint, region: name, credentials: { ...credentials } })
      const rotate = () => caller(plane.primary)<object>('RotateDataKey', { UserPoolId: alone })
      const pending = { UserPoolId: alone, DataKey: 1, Status: 'PENDING' }
      assert.deepEqual(await rotate(), pending)
      assert.deepEqual(await rotate(), pending)
      const describe = caller(plane.primary)<object>('DescribeDataKey', { UserPoolId: alone })
      assert.deepEqual(await describe, pending)
      await assert.rejects(caller(plane.secondary)('RotateDataKey', { UserPoolId: pool }), /primary region of the pool/)
    })

    it('are all wrapped again when the pool gets another KMS key', async () => {
      const { context } = plane.primary.region
      const UserPoolId = await createPool(plane.primary)
      await requestDataKey(contextOf(plane.primary), await context.pools.get(UserPoolId))
      await rotateDataKeys(contextOf(plane.primary, 60_000), NEVER)
      const sealed = (await context.keys.get(UserPoolId)).seal('row', Buffer.from('a row'))
      assert.equal(sealed[0], 3)
      const { KeyMetadata } = await plane.primary.kms.send(new CreateKeyCommand({}))
      const KeyConfiguration = { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: KeyMetadata?.Arn } as const
      await plane.primary.cognito.send(new UpdateUserPoolCommand({ UserPoolId, KeyConfiguration }))
      const [row] = await context.store.list('newer-data-key', { pool: UserPoolId, limit: 10 })
      assert.equal(JSON.parse(row?.body as string).keyArn, KeyMetadata?.Arn)
      assert.equal((await context.keys.get(UserPoolId)).open('row', sealed).toString(), 'a row')
    })

    it('are created although another pool cannot be opened', async () => {
      const { context } = plane.primary.region
      const [altered = '', other = ''] = [await createPool(plane.primary), await createPool(plane.primary)].sort()
      const failures: string[] = []
      const broken: RotationContext = {
        ...contextOf(plane.primary, 400 * DAY),
        keys: {
          ...context.keys,
          get: async (id) => {
            if (id === altered) throw new SealBrokenError()
            return context.keys.get(id)
          },
        },
        events: { ...context.events, failed: ({ operation }) => void failures.push(operation) },
      }
      await rotateDataKeys(broken, { ...NEVER, afterDays: 365 })
      assert.equal((await context.keys.newest(other)).number, 1)
      assert.deepEqual(failures, [`rotation of the data key of the pool ${altered}`])
    })

    it('cannot be exchanged in the database', async () => {
      const { context } = plane.primary.region
      const rows = await context.store.list('newer-data-key', { pool, limit: 10 })
      const [one, two] = rows.map(({ key, body }) => ({ pool, key, body }))
      assert.ok(one && two)
      await context.store.write((tx) => tx.put('newer-data-key', { ...one, body: two.body }))
      await assert.rejects(context.keys.get(pool), { name: 'KeyUnavailableError' })
      await context.store.write((tx) => tx.put('newer-data-key', one))
      await context.keys.get(pool)
    })
  })
}
