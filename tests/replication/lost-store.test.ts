/** A secondary that loses its disk comes back with nothing but its configuration, and is a replica again. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  AdminSetUserPasswordCommand,
  CreateUserPoolClientCommand,
  GetUserCommand,
  GlobalSignOutCommand,
  InitiateAuthCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { engines, type Plane, type RunningRegion, startRegions, until } from '@twinpool/testing/regions'
import { activateReplica, createReplicatedPool, replicaIs } from '@twinpool/testing/replicas'
import { srpSignIn } from '@twinpool/testing/srp'

const password = 'Example-1-Password'

for (const engine of engines) {
  describe(`a secondary that has lost its store: ${engine}`, () => {
    let plane: Plane
    let pool: string
    let client: string

    const signIn = async (region: RunningRegion, username: string) => {
      const { AuthenticationResult } = await region.cognito.send(
        new InitiateAuthCommand({
          ClientId: client,
          AuthFlow: 'USER_PASSWORD_AUTH',
          AuthParameters: { USERNAME: username, PASSWORD: password },
        }),
      )
      return AuthenticationResult
    }
    const createUser = async (Username: string): Promise<void> => {
      const { cognito } = plane.primary
      await cognito.send(new AdminCreateUserCommand({ UserPoolId: pool, Username, MessageAction: 'SUPPRESS' }))
      await cognito.send(
        new AdminSetUserPasswordCommand({ UserPoolId: pool, Username, Password: password, Permanent: true }),
      )
    }

    before(async () => {
      plane = await startRegions({ engine })
      pool = await createReplicatedPool(plane)
      const { UserPoolClient } = await plane.primary.cognito.send(
        new CreateUserPoolClientCommand({
          UserPoolId: pool,
          ClientName: 'app',
          ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH', 'ALLOW_USER_SRP_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH'],
        }),
      )
      client = UserPoolClient?.ClientId as string
      await createUser('before')
    })
    after(() => plane.stop())

    it('is filled again, and is INACTIVE until somebody turns it on', async () => {
      const { primary, secondary } = plane
      await until(() => signIn(secondary, 'before').catch(() => undefined), { what: 'a sign-in at the secondary' })
      await secondary.restart('nothing')
      // Not what either of them says while the primary has yet to hear of it.
      await until(async () => (await secondary.region.context.pools.find(pool))?.status === 'INACTIVE', {
        what: 'the copy',
      })
      for (const region of [primary, secondary])
        await replicaIs({ region, pool, name: secondary.name, status: 'INACTIVE' })
      const { UserStatus } = await secondary.cognito.send(
        new AdminGetUserCommand({ UserPoolId: pool, Username: 'before' }),
      )
      assert.equal(UserStatus, 'CONFIRMED')
      await assert.rejects(signIn(secondary, 'before'), { name: 'OperationNotEnabledException' })
    })

    it('has its keys again, and signs people in', async () => {
      const { primary, secondary } = plane
      await activateReplica(plane, pool)
      const tokens = await until(() => signIn(secondary, 'before').catch(() => undefined), { what: 'a sign-in' })
      const bySrp = await srpSignIn({ cognito: secondary.cognito, pool, client, username: 'before', password })
      assert.ok(bySrp.AuthenticationResult?.AccessToken)
      for (const { cognito } of [primary, secondary]) {
        const { Username } = await cognito.send(new GetUserCommand({ AccessToken: tokens.AccessToken }))
        assert.equal(Username, 'before')
      }
    })

    it('follows its primary, and is heard by it', async () => {
      const { primary, secondary } = plane
      await createUser('afterwards')
      const tokens = await until(() => signIn(secondary, 'afterwards').catch(() => undefined), { what: 'a new user' })
      const AccessToken = tokens.AccessToken
      await secondary.cognito.send(new GlobalSignOutCommand({ AccessToken }))
      await until(
        () =>
          primary.cognito.send(new GetUserCommand({ AccessToken })).then(
            () => false,
            (error: Error) => error.name === 'NotAuthorizedException',
          ),
        { what: 'the sign-out at the primary' },
      )
    })
  })
}
