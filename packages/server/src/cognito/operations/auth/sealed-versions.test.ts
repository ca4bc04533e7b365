/** Values that clients carry, sealed in a version that this build does not know, as after a downgrade. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { AdminCreateUserCommand, ListUsersCommand, RevokeTokenCommand } from '@aws-sdk/client-cognito-identity-provider'
import { people } from '@twinpool/testing/people'
import { createClient, createPool, createUser, PASSWORD, SrpClient, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'

const UNKNOWN_VERSION = 2
const expired = (message: RegExp) => ({ name: 'NotAuthorizedException', message })

for (const engine of engines) {
  describe(`a sealed value of an unknown version, on ${engine}`, () => {
    let plane: Plane
    let pool: string
    let client: TestClient
    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
      pool = await createPool(plane.primary)
      client = await createClient(plane.primary, pool)
      await createUser(plane.primary, pool, { username: 'ada' })
    })
    after(() => plane?.stop())

    it('is an expired refresh token, and nothing to revoke', async () => {
      const { RefreshToken } = await people(plane.primary).signIn(client, { username: 'ada' })
      const [header, , ...rest] = RefreshToken.split('.')
      const altered = [header, Buffer.of(UNKNOWN_VERSION).toString('base64url'), ...rest].join('.')
      await assert.rejects(people(plane.primary).refresh(client, altered), expired(/Refresh Token has expired/))
      await plane.primary.cognito.send(new RevokeTokenCommand({ Token: altered, ClientId: client.id }))
    })

    it('is an expired session', async () => {
      const srp = new SrpClient(pool)
      const { cognito } = plane.primary
      await cognito.send(
        new AdminCreateUserCommand({
          UserPoolId: pool,
          Username: 'bob',
          TemporaryPassword: PASSWORD,
          MessageAction: 'SUPPRESS',
        }),
      )
      const asked = await people(plane.primary).begin(client, 'USER_PASSWORD_AUTH', { USERNAME: 'bob', PASSWORD })
      const bytes = Buffer.from(asked.Session as string, 'base64url')
      bytes.writeUInt8(UNKNOWN_VERSION, 1 + pool.length)
      const session = bytes.toString('base64url')
      const responses = { USERNAME: 'bob', NEW_PASSWORD: 'Battery-Staple-8' }
      await assert.rejects(
        people(plane.primary).respond(client, 'NEW_PASSWORD_REQUIRED', responses, session),
        expired(/session is expired/),
      )

      const begun = await people(plane.primary).begin(client, 'USER_SRP_AUTH', { USERNAME: 'ada', SRP_A: srp.A })
      const parameters = begun.ChallengeParameters as Record<string, string>
      const block = Buffer.from(parameters.SECRET_BLOCK as string, 'base64')
      block.writeUInt8(UNKNOWN_VERSION, 0)
      const answer = srp.answer({ ...parameters, SECRET_BLOCK: block.toString('base64') }, PASSWORD)
      await assert.rejects(
        people(plane.primary).respond(client, 'PASSWORD_VERIFIER', answer),
        expired(/session is expired/),
      )
    })

    it('is an invalid token of a page', async () => {
      const { cognito } = plane.primary
      const { PaginationToken } = await cognito.send(new ListUsersCommand({ UserPoolId: pool, Limit: 1 }))
      const bytes = Buffer.from(PaginationToken as string, 'base64url')
      bytes.writeUInt8(UNKNOWN_VERSION, 0)
      await assert.rejects(
        cognito.send(
          new ListUsersCommand({ UserPoolId: pool, Limit: 1, PaginationToken: bytes.toString('base64url') }),
        ),
        { name: 'InvalidParameterException', message: 'Invalid pagination token given.' },
      )
    })
  })
}
