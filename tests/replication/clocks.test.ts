/** Sign-outs between regions whose clocks differ. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  AdminDisableUserCommand,
  AdminEnableUserCommand,
  AdminUserGlobalSignOutCommand,
  GlobalSignOutCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { systemClock } from '@twinpool/server/internal/clock'
import { people } from '@twinpool/testing/people'
import { createClient, createUser, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, type RunningRegion, startRegions, until } from '@twinpool/testing/regions'
import { createReplicatedPool } from '@twinpool/testing/replicas'

const USER = { username: 'ada' }
const FLOWS = ['ALLOW_USER_PASSWORD_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH'] as const

for (const engine of engines) {
  for (const ahead of [300, -300, 5_000, -5_000]) {
    describe(`a secondary whose clock is ${ahead} ms ahead, on ${engine}`, () => {
      let plane: Plane
      let client: TestClient
      let pool: string

      before(async () => {
        const clock = { ...systemClock, now: () => systemClock.now() + ahead }
        plane = await startRegions({ engine, clocks: { 'us-east-1': clock } })
        pool = await createReplicatedPool(plane)
        client = await createClient(plane.primary, pool, { ExplicitAuthFlows: [...FLOWS] })
        await createUser(plane.primary, pool, USER)
        await signInOnceEnabled(plane.secondary)
        const { topology } = await plane.secondary.region.context.pools.get(pool)
        const { poolClock } = plane.secondary.region.context
        // Until the first measurement, the times differ by the difference of the clocks.
        const difference = () => Math.abs(poolClock.now({ topology }) - systemClock.now())
        await until(() => difference() < 25, { what: 'the time of the primary' })
      })
      after(() => plane?.stop())

      const signIn = (region: RunningRegion) => people(region).signIn(client, USER)
      const signInOnceEnabled = (region: RunningRegion) =>
        until(() => signIn(region).catch(() => undefined), { what: 'the user' })
      const refreshes = (region: RunningRegion, token: string | undefined): Promise<boolean> =>
        people(region)
          .refresh(client, token)
          .then(
            () => true,
            (error: Error) => {
              assert.equal(error.name, 'NotAuthorizedException', String(error))
              return false
            },
          )
      const signOuts: Record<string, (at: RunningRegion, accessToken: string) => Promise<unknown>> = {
        GlobalSignOut: ({ cognito }, AccessToken) => cognito.send(new GlobalSignOutCommand({ AccessToken })),
        AdminUserGlobalSignOut: ({ cognito }) =>
          cognito.send(new AdminUserGlobalSignOutCommand({ UserPoolId: pool, Username: USER.username })),
        // At the primary only, as on a replica it is refused.
        AdminDisableUser: async () => {
          const user = { UserPoolId: pool, Username: USER.username }
          await plane.primary.cognito.send(new AdminDisableUserCommand(user))
          await plane.primary.cognito.send(new AdminEnableUserCommand(user))
        },
      }

      for (const [name, signOut] of Object.entries(signOuts)) {
        for (const where of ['primary', 'secondary'] as const) {
          if (name === 'AdminDisableUser' && where === 'secondary') continue
          it(`ends the sessions of both regions by ${name} at the ${where}, and none that begins 50 ms later`, async () => {
            const before = [await signIn(plane.primary), await signIn(plane.secondary)]
            await signOut(plane[where], before[0]?.AccessToken as string)
            const signedOut = performance.now()
            await until(() => performance.now() - signedOut >= 50)
            const later = [await signIn(plane.primary), await signInOnceEnabled(plane.secondary)]
            for (const region of plane.regions) {
              for (const { RefreshToken } of before) {
                await until(async () => !(await refreshes(region, RefreshToken)), { what: `the end at ${region.name}` })
              }
              for (const { RefreshToken } of later) assert.equal(await refreshes(region, RefreshToken), true)
            }
          })
        }
      }
    })
  }
}
