import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  CreateUserPoolReplicaCommand,
  GlobalSignOutCommand,
  ListUserPoolReplicasCommand,
  RevokeTokenCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { CreateKeyCommand, ReplicateKeyCommand } from '@aws-sdk/client-kms'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser, PASSWORD, SrpClient, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions, until } from '@twinpool/testing/regions'

for (const engine of engines) {
  describe(`sign-in over two regions on ${engine}`, () => {
    let plane: Plane
    let pool: string
    let client: TestClient
    let rotating: TestClient
    let users = 0

    /** Repeats the call until it is refused with this error; fails the test if it never is. */
    const untilRefused = (call: () => Promise<unknown>, error: { name: string; message?: string }) =>
      until(
        async () => {
          const thrown = await call().then(
            () => undefined,
            (reason: Error) => reason,
          )
          return thrown?.name === error.name && (error.message ?? thrown.message) === thrown.message
        },
        { what: error.message ?? error.name },
      )
    /** A user that exists in both regions. */
    const newUser = async (options: { temporary?: boolean } = {}): Promise<string> => {
      users += 1
      const username = `user${users}`
      await createUser(plane.primary, pool, { username, ...options })
      await until(
        () =>
          people(plane.secondary)
            .begin(client, 'USER_PASSWORD_AUTH', { USERNAME: username, PASSWORD })
            .then(
              ({ ChallengeName, AuthenticationResult }) =>
                options.temporary ? ChallengeName !== undefined : AuthenticationResult !== undefined,
              () => false,
            ),
        { what: 'the user at the replica' },
      )
      return username
    }

    before(async () => {
      plane = await startRegions({ engine })
      const { primary, secondary } = plane
      const { KeyMetadata } = await primary.kms.send(new CreateKeyCommand({ MultiRegion: true }))
      await primary.kms.send(new ReplicateKeyCommand({ KeyId: KeyMetadata?.KeyId, ReplicaRegion: secondary.name }))
      pool = await createPool(primary, {
        KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: KeyMetadata?.Arn },
      })
      client = await createClient(primary, pool)
      rotating = await createClient(primary, pool, {
        ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH'],
        RefreshTokenRotation: { Feature: 'ENABLED', RetryGracePeriodSeconds: 0 },
      })
      await primary.cognito.send(new CreateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary.name }))
      const becomes = (status: string) =>
        until(
          async () => {
            const { UserPoolReplicas } = await secondary.cognito
              .send(new ListUserPoolReplicasCommand({ UserPoolId: pool }))
              .catch(() => ({ UserPoolReplicas: undefined }))
            return UserPoolReplicas?.find(({ RegionName }) => RegionName === secondary.name)?.Status === status
          },
          { what: status },
        )
      await becomes('INACTIVE')
    })
    after(() => plane.stop())

    it('an inactive replica signs no user in, but publishes the keys and the issuer of the pool', async () => {
      const { primary, secondary } = plane
      await assert.rejects(people(secondary).begin(client, 'USER_PASSWORD_AUTH', { USERNAME: 'x', PASSWORD }), {
        name: 'OperationNotEnabledException',
      })
      for (const document of ['jwks.json', 'openid-configuration']) {
        const [here, there] = await Promise.all(
          [primary, secondary].map(async ({ endpoint }) =>
            (await fetch(`${endpoint}/${pool}/.well-known/${document}`)).json(),
          ),
        )
        assert.deepEqual(there, here)
      }
      await secondary.cognito.send(
        new UpdateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary.name, Status: 'ACTIVE' }),
      )
    })

    it('SRP started in one region is finished in the other, with and without Session', async () => {
      const username = await newUser()
      const { primary, secondary } = plane
      for (const [first, second] of [
        [primary, secondary],
        [secondary, primary],
      ] as const) {
        for (const withSession of [true, false]) {
          const srp = new SrpClient(pool)
          const asked = await people(first).begin(client, 'USER_SRP_AUTH', { USERNAME: username, SRP_A: srp.A })
          const responses = srp.answer(asked.ChallengeParameters as Record<string, string>, PASSWORD)
          const { AuthenticationResult } = await people(second).respond(
            client,
            'PASSWORD_VERIFIER',
            responses,
            withSession ? asked.Session : undefined,
          )
          for (const region of [primary, secondary]) {
            assert.equal((await people(region).getUser(AuthenticationResult?.AccessToken as string)).Username, username)
          }
        }
      }
    })

    it('the replica asks for a new password and the primary accepts it', async () => {
      const USERNAME = await newUser({ temporary: true })
      const { primary, secondary } = plane
      const asked = await people(secondary).begin(client, 'USER_PASSWORD_AUTH', { USERNAME, PASSWORD })
      const responses = { USERNAME, NEW_PASSWORD: 'Battery-Staple-8' }
      await assert.rejects(people(secondary).respond(client, 'NEW_PASSWORD_REQUIRED', responses, asked.Session), {
        name: 'OperationNotEnabledException',
      })
      const { AuthenticationResult } = await people(primary).respond(
        client,
        'NEW_PASSWORD_REQUIRED',
        responses,
        asked.Session,
      )
      assert.ok(AuthenticationResult?.AccessToken)
      await until(() =>
        people(secondary)
          .begin(client, 'USER_PASSWORD_AUTH', { USERNAME, PASSWORD: 'Battery-Staple-8' })
          .then(
            () => true,
            () => false,
          ),
      )
    })

    it('a token revoked in either region is refused in both', async () => {
      const username = await newUser()
      const { primary, secondary } = plane
      for (const [first, second] of [
        [primary, secondary],
        [secondary, primary],
      ] as const) {
        const { AccessToken, RefreshToken } = await people(first).signIn(client, { username })
        await people(second).getUser(AccessToken)
        await people(second).getTokens(client, RefreshToken)
        await first.cognito.send(new RevokeTokenCommand({ ClientId: client.id, Token: RefreshToken }))
        await untilRefused(() => people(second).getUser(AccessToken), {
          name: 'NotAuthorizedException',
          message: 'Access Token has been revoked',
        })
        await assert.rejects(people(second).getTokens(client, RefreshToken), {
          message: 'Refresh Token has been revoked',
        })
        const later = await people(first).signIn(client, { username })
        await second.cognito.send(new GlobalSignOutCommand({ AccessToken: later.AccessToken }))
        await untilRefused(() => people(first).getTokens(client, later.RefreshToken), {
          name: 'NotAuthorizedException',
          message: 'Refresh Token has been revoked',
        })
        await people(first).getUser((await people(first).signIn(client, { username })).AccessToken)
      }
    })

    it('a refresh token rotated in one region revokes its family when it is used in the other', async () => {
      const username = await newUser()
      const { primary, secondary } = plane
      for (const [first, second] of [
        [primary, secondary],
        [secondary, primary],
      ] as const) {
        const one = await people(first).signIn(rotating, { username })
        const two = await people(first).getTokens(rotating, one.RefreshToken)
        const three = await people(second).getTokens(rotating, two.RefreshToken)
        await assert.rejects(people(second).getTokens(rotating, one.RefreshToken), {
          name: 'RefreshTokenReuseException',
        })
        await untilRefused(() => people(first).getUser(three.AccessToken), {
          name: 'NotAuthorizedException',
          message: 'Access Token has been revoked',
        })
        await assert.rejects(people(first).getTokens(rotating, three.RefreshToken), {
          message: 'Refresh Token has been revoked',
        })
      }
    })
  })
}
