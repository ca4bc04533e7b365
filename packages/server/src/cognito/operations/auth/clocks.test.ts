/** Sign-outs and sign-ins in a region whose clock is set back between them. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { AdminUserGlobalSignOutCommand, GlobalSignOutCommand } from '@aws-sdk/client-cognito-identity-provider'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, type RunningRegion, startRegions } from '@twinpool/testing/regions'
import { systemClock } from '../../../clock.ts'

const MINUTE = 60_000
const ADA = { username: 'ada' }

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
      await createUser(region, pool, ADA)
    })
    beforeEach(() => {
      ahead = MINUTE
    })
    after(() => plane?.stop())

    it('does not prevent a sign-out from ending the session that requests it', async () => {
      const [earlier, asking] = [await people(region).signIn(client, ADA), await people(region).signIn(client, ADA)]
      ahead = 0
      await region.cognito.send(new GlobalSignOutCommand({ AccessToken: asking.AccessToken }))
      for (const tokens of [earlier, asking]) {
        await assert.rejects(people(region).getUser(tokens.AccessToken), { name: 'NotAuthorizedException' })
        await assert.rejects(people(region).refresh(client, tokens.RefreshToken), { name: 'NotAuthorizedException' })
      }
    })

    it('does not make a used refresh token valid again', async () => {
      const RefreshTokenRotation = { Feature: 'ENABLED', RetryGracePeriodSeconds: 0 } as const
      const rotating = await createClient(region, pool, {
        ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH'],
        RefreshTokenRotation,
      })
      const first = await people(region).signIn(rotating, ADA)
      const rotate = () => people(region).getTokens(rotating, first.RefreshToken)
      await rotate()
      ahead = 0
      await assert.rejects(rotate(), { name: 'RefreshTokenReuseException' })
    })

    it('does not invalidate a sign-in where tokens cannot be revoked', async () => {
      const unrevocable = await createClient(region, pool, { EnableTokenRevocation: false })
      await region.cognito.send(new AdminUserGlobalSignOutCommand({ UserPoolId: pool, Username: 'ada' }))
      ahead = 0
      const tokens = await people(region).signIn(unrevocable, ADA)
      await people(region).getUser(tokens.AccessToken)
    })

    it('does not invalidate a sign-in after a sign-out', async () => {
      const before = await people(region).signIn(client, ADA)
      await region.cognito.send(new AdminUserGlobalSignOutCommand({ UserPoolId: pool, Username: 'ada' }))
      ahead = 0
      const afterwards = await people(region).signIn(client, ADA)
      await assert.rejects(people(region).getUser(before.AccessToken), { name: 'NotAuthorizedException' })
      await people(region).getUser(afterwards.AccessToken)
      await people(region).getUser((await people(region).refresh(client, afterwards.RefreshToken)).AccessToken)
    })
  })
}
