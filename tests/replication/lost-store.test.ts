/** A secondary that has lost its disk returns with only its configuration and becomes a replica again. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { AdminGetUserCommand, GlobalSignOutCommand } from '@aws-sdk/client-cognito-identity-provider'
import { people } from '@twinpool/testing/people'
import { createClient, createUser, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions, until } from '@twinpool/testing/regions'
import { activateReplica, createReplicatedPool, replicaIs } from '@twinpool/testing/replicas'

for (const engine of engines) {
  describe(`a secondary that has lost its store: ${engine}`, () => {
    let plane: Plane
    let pool: string
    let client: TestClient

    before(async () => {
      plane = await startRegions({ engine })
      pool = await createReplicatedPool(plane)
      client = await createClient(plane.primary, pool)
      await createUser(plane.primary, pool, { username: 'before' })
    })
    after(() => plane.stop())

    it('is copied again, and stays INACTIVE until an operator activates it', async () => {
      const { primary, secondary } = plane
      await until(
        () =>
          people(secondary)
            .signIn(client, { username: 'before' })
            .catch(() => undefined),
        { what: 'a sign-in at the secondary' },
      )
      await secondary.restart('nothing')
      // Wait for CREATING to be over: until the primary has received the new status, both still report the old one.
      await until(async () => (await secondary.region.context.pools.find(pool))?.status === 'INACTIVE', {
        what: 'the copy',
      })
      for (const region of [primary, secondary])
        await replicaIs({ region, pool, name: secondary.name, status: 'INACTIVE' })
      const { UserStatus } = await secondary.cognito.send(
        new AdminGetUserCommand({ UserPoolId: pool, Username: 'before' }),
      )
      assert.equal(UserStatus, 'CONFIRMED')
      await assert.rejects(people(secondary).signIn(client, { username: 'before' }), {
        name: 'OperationNotEnabledException',
      })
    })

    it('has its keys again, and signs users in', async () => {
      const { primary, secondary } = plane
      await activateReplica(plane, pool)
      const tokens = await until(
        () =>
          people(secondary)
            .signIn(client, { username: 'before' })
            .catch(() => undefined),
        { what: 'a sign-in' },
      )
      const bySrp = await people(secondary).signInBySrp(client, { username: 'before' })
      assert.ok(bySrp.AccessToken)
      for (const region of [primary, secondary]) {
        assert.equal((await people(region).getUser(tokens.AccessToken)).Username, 'before')
      }
    })

    it('follows its primary, and is followed by it', async () => {
      const { primary, secondary } = plane
      await createUser(plane.primary, pool, { username: 'afterwards' })
      const tokens = await until(
        () =>
          people(secondary)
            .signIn(client, { username: 'afterwards' })
            .catch(() => undefined),
        { what: 'a new user' },
      )
      const AccessToken = tokens.AccessToken
      await secondary.cognito.send(new GlobalSignOutCommand({ AccessToken }))
      await until(
        () =>
          people(primary)
            .getUser(AccessToken)
            .then(
              () => false,
              (error: Error) => error.name === 'NotAuthorizedException',
            ),
        { what: 'the sign-out at the primary' },
      )
    })
  })
}
