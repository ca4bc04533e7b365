/** Sign-outs and sign-ins in a region whose clock is set back between them. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import {
  AdminUserGlobalSignOutCommand,
  type AuthenticationResultType,
  GetTokensFromRefreshTokenCommand,
  GetUserCommand,
  GlobalSignOutCommand,
  InitiateAuthCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { createClient, createPool, createUser, PASSWORD, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, type RunningRegion, startRegions } from '@twinpool/testing/regions'
import { systemClock } from '../../../clock.ts'

const MINUTE = 60_000

for (const engine of engines) {
  describe(`a clock that is set back, on ${engine}`, () => {
    let plane: Plane
    let region: RunningRegion
    let pool: string
    let client: TestClient
    let ahead = 0

    before(async () => {
      const clock = { ...systemClock, now: () => systemClock.now() + ahead }
      plane = await startRegions({ engine, regions: ['us-west-2'], clock })
      region = plane.primary
      pool = await createPool(region)
      client = await createClient(region, pool)
      await createUser(region, pool, { username: 'ada' })
    })
    beforeEach(() => {
      ahead = MINUTE
    })
    after(() => plane?.stop())

    const begin = async (AuthFlow: 'USER_PASSWORD_AUTH' | 'REFRESH_TOKEN_AUTH', parameters: Record<string, string>) =>
      (
        await region.cognito.send(
          new InitiateAuthCommand({ ClientId: client.id, AuthFlow, AuthParameters: parameters }),
        )
      ).AuthenticationResult as AuthenticationResultType
    const signIn = () => begin('USER_PASSWORD_AUTH', { USERNAME: 'ada', PASSWORD })
    const refresh = ({ RefreshToken }: AuthenticationResultType) =>
      begin('REFRESH_TOKEN_AUTH', { REFRESH_TOKEN: RefreshToken as string })
    const getUser = ({ AccessToken }: AuthenticationResultType) =>
      region.cognito.send(new GetUserCommand({ AccessToken }))

    it('does not keep a sign-out from ending the session that asks for it', async () => {
      const [earlier, asking] = [await signIn(), await signIn()]
      ahead = 0
      await region.cognito.send(new GlobalSignOutCommand({ AccessToken: asking.AccessToken }))
      for (const tokens of [earlier, asking]) {
        await assert.rejects(getUser(tokens), { name: 'NotAuthorizedException' })
        await assert.rejects(refresh(tokens), { name: 'NotAuthorizedException' })
      }
    })

    it('does not make a used refresh token valid again', async () => {
      const RefreshTokenRotation = { Feature: 'ENABLED', RetryGracePeriodSeconds: 0 } as const
      const rotating = await createClient(region, pool, {
        ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH'],
        RefreshTokenRotation,
      })
      const { AuthenticationResult } = await region.cognito.send(
        new InitiateAuthCommand({
          ClientId: rotating.id,
          AuthFlow: 'USER_PASSWORD_AUTH',
          AuthParameters: { USERNAME: 'ada', PASSWORD },
        }),
      )
      const rotate = () =>
        region.cognito.send(
          new GetTokensFromRefreshTokenCommand({
            ClientId: rotating.id,
            RefreshToken: AuthenticationResult?.RefreshToken,
          }),
        )
      await rotate()
      ahead = 0
      await assert.rejects(rotate(), { name: 'RefreshTokenReuseException' })
    })

    it('does not invalidate a sign-in where tokens cannot be revoked', async () => {
      const unrevocable = await createClient(region, pool, { EnableTokenRevocation: false })
      await region.cognito.send(new AdminUserGlobalSignOutCommand({ UserPoolId: pool, Username: 'ada' }))
      ahead = 0
      const { AuthenticationResult } = await region.cognito.send(
        new InitiateAuthCommand({
          ClientId: unrevocable.id,
          AuthFlow: 'USER_PASSWORD_AUTH',
          AuthParameters: { USERNAME: 'ada', PASSWORD },
        }),
      )
      await getUser(AuthenticationResult as AuthenticationResultType)
    })

    it('does not invalidate a sign-in after a sign-out', async () => {
      const before = await signIn()
      await region.cognito.send(new AdminUserGlobalSignOutCommand({ UserPoolId: pool, Username: 'ada' }))
      ahead = 0
      const afterwards = await signIn()
      await assert.rejects(getUser(before), { name: 'NotAuthorizedException' })
      await getUser(afterwards)
      await getUser(await refresh(afterwards))
    })
  })
}
