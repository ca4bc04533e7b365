import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { type CreateUserPoolClientCommandInput, RevokeTokenCommand } from '@aws-sdk/client-cognito-identity-provider'
import { people, type Tokens } from '@twinpool/testing/people'
import { createClient, createPool, createUser, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, type RunningRegion, startRegions } from '@twinpool/testing/regions'
import { systemClock } from '../../../clock.ts'

const SECOND = 1_000
const notAuthorized = (message: string) => ({ name: 'NotAuthorizedException', message })
const REVOKED = notAuthorized('Refresh Token has been revoked')
const REUSED = { name: 'RefreshTokenReuseException' }

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString())

for (const engine of engines) {
  describe(`refresh on ${engine}`, () => {
    let plane: Plane
    let region: RunningRegion
    let pool: string
    let client: TestClient
    let confidential: TestClient
    let sub: string
    const username = 'ada'
    let wound = 0
    let stopped: number | undefined

    before(async () => {
      const clock = { ...systemClock, now: () => (stopped ?? systemClock.now()) + wound }
      plane = await startRegions({ engine, regions: ['us-west-2'], clock })
      region = plane.primary
      pool = await createPool(region)
      client = await createClient(region, pool)
      confidential = await createClient(region, pool, { GenerateSecret: true })
      sub = await createUser(region, pool, { username })
    })
    after(() => plane.stop())
    afterEach(() => {
      wound = 0
      stopped = undefined
    })

    const revoke = (Token: string, by: TestClient = client, ClientSecret?: string) =>
      region.cognito.send(new RevokeTokenCommand({ Token, ClientId: by.id, ClientSecret }))

    for (const flow of ['REFRESH_TOKEN_AUTH', 'REFRESH_TOKEN'] as const) {
      it(`${flow} returns new access and ID tokens of the same sign-in, and no refresh token`, async () => {
        const first = await people(region).signIn(client, { username })
        wound = 60 * SECOND
        const { AuthenticationResult } = await people(region).begin(client, flow, { REFRESH_TOKEN: first.RefreshToken })
        const second = AuthenticationResult as Tokens
        assert.equal(second.RefreshToken, undefined)
        for (const token of ['AccessToken', 'IdToken'] as const) {
          const [old, fresh] = [claimsOf(first[token]), claimsOf(second[token])]
          for (const claim of ['sub', 'iss', 'origin_jti', 'auth_time', 'event_id']) {
            assert.equal(fresh[claim], old[claim], claim)
          }
          assert.notEqual(fresh.jti, old.jti)
          assert.ok((fresh.iat as number) >= (old.iat as number) + 59)
        }
        await people(region).getUser(second.AccessToken)
      })
    }

    it('refuses other strings, altered tokens and the tokens of another client', async () => {
      const { AccessToken, RefreshToken } = await people(region).signIn(client, { username })
      const other = await createClient(region, pool)
      const bad = notAuthorized('Invalid Refresh Token')
      await assert.rejects(people(region).refresh(client, AccessToken), bad)
      await assert.rejects(people(region).refresh(client, 'nonsense'), bad)
      await assert.rejects(people(region).refresh(client, 'a.b.c.d.e'), bad)
      await assert.rejects(people(region).refresh(other, RefreshToken), bad)
      const parts = RefreshToken.split('.')
      for (const at of [0, 1, 2, 3, 4]) {
        const changed = [...parts]
        const bytes = Buffer.from(changed[at] as string, 'base64url')
        bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0)
        changed[at] = bytes.toString('base64url')
        // Part 1 begins with the version; an unknown version counts as expired.
        const refused = at === 1 ? notAuthorized('Refresh Token has expired') : bad
        await assert.rejects(people(region).refresh(client, changed.join('.')), refused, `part ${at}`)
      }
    })

    it('accepts a secret hash over the real username or the sub', async () => {
      const { RefreshToken } = await people(region).signIn(confidential, { username })
      for (const name of [username, sub]) {
        assert.ok((await people(region).refresh(confidential, RefreshToken, { username: name })).AccessToken)
      }
      await assert.rejects(
        people(region).refresh(confidential, RefreshToken, { username: 'another' }),
        notAuthorized(`SecretHash does not match for the client: ${confidential.id}`),
      )
      await assert.rejects(
        people(region).refresh(confidential, RefreshToken),
        notAuthorized(`Client ${confidential.id} is configured with secret but SECRET_HASH was not received`),
      )
    })

    describe('GetTokensFromRefreshToken', () => {
      it('returns no new refresh token to a client without rotation', async () => {
        const { RefreshToken } = await people(region).signIn(client, { username })
        const answer = await people(region).getTokens(client, RefreshToken)
        assert.ok(answer.AccessToken && answer.IdToken)
        assert.equal(answer.RefreshToken, undefined)
        await people(region).getTokens(client, RefreshToken)
      })

      it('accepts the plain secret of a client', async () => {
        const { RefreshToken } = await people(region).signIn(confidential, { username })
        assert.ok((await people(region).getTokens(confidential, RefreshToken)).AccessToken)
        for (const secret of [undefined, 'a'.repeat(51)]) {
          await assert.rejects(people(region).getTokens({ ...confidential, secret }, RefreshToken), {
            name: 'NotAuthorizedException',
          })
        }
        await assert.rejects(
          people(region).getTokens(
            { ...client, secret: 'a'.repeat(51) },
            (await people(region).signIn(client, { username })).RefreshToken,
          ),
          {
            name: 'NotAuthorizedException',
          },
        )
      })

      it('is refused to a client that is not allowed to refresh', async () => {
        const once = await createClient(region, pool, { ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH'] })
        const { RefreshToken } = await people(region).signIn(once, { username })
        await assert.rejects(people(region).getTokens(once, RefreshToken), { name: 'InvalidParameterException' })
      })
    })

    describe('rotation', () => {
      const rotating = (RetryGracePeriodSeconds: number, more: Partial<CreateUserPoolClientCommandInput> = {}) =>
        createClient(region, pool, {
          ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH'],
          RefreshTokenRotation: { Feature: 'ENABLED', RetryGracePeriodSeconds },
          ...more,
        })

      it('returns a new refresh token each time, within the same sign-in', async () => {
        const by = await rotating(0)
        const first = await people(region).signIn(by, { username })
        const second = await people(region).getTokens(by, first.RefreshToken)
        const third = await people(region).getTokens(by, second.RefreshToken)
        assert.equal(new Set([first, second, third].map(({ RefreshToken }) => RefreshToken)).size, 3)
        assert.equal(claimsOf(third.AccessToken).origin_jti, claimsOf(first.AccessToken).origin_jti)
        assert.equal(claimsOf(third.AccessToken).auth_time, claimsOf(first.AccessToken).auth_time)
        await people(region).getUser(third.AccessToken)
      })

      it('a refresh token used twice revokes its family', async () => {
        const by = await rotating(0)
        const first = await people(region).signIn(by, { username })
        const bystander = await people(region).signIn(by, { username })
        const second = await people(region).getTokens(by, first.RefreshToken)
        await assert.rejects(people(region).getTokens(by, first.RefreshToken), REUSED)
        await assert.rejects(people(region).getTokens(by, first.RefreshToken), REVOKED)
        await assert.rejects(people(region).getTokens(by, second.RefreshToken), REVOKED)
        for (const { AccessToken } of [first, second]) {
          await assert.rejects(people(region).getUser(AccessToken), notAuthorized('Access Token has been revoked'))
        }
        await people(region).getUser(bystander.AccessToken)
        await people(region).getTokens(by, bystander.RefreshToken)
      })

      it('a refresh token used twice at the same moment is accepted once', async () => {
        const by = await rotating(0)
        const { RefreshToken } = await people(region).signIn(by, { username })
        const outcomes = await Promise.allSettled(
          Array.from({ length: 4 }, () => people(region).getTokens(by, RefreshToken)),
        )
        assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
      })

      it('a refresh token can be used again within the grace period after its first use', async () => {
        const by = await rotating(10)
        stopped = systemClock.now()
        const first = await people(region).signIn(by, { username })
        wound = 3_600 * SECOND
        const [second, retried] = [
          await people(region).getTokens(by, first.RefreshToken),
          await people(region).getTokens(by, first.RefreshToken),
        ]
        wound += 9_999
        await people(region).getTokens(by, first.RefreshToken)
        const third = await people(region).getTokens(by, retried.RefreshToken)
        await people(region).getTokens(by, second.RefreshToken)
        wound += 10 * SECOND
        await assert.rejects(people(region).getTokens(by, second.RefreshToken), REUSED)
        await assert.rejects(people(region).getTokens(by, third.RefreshToken), REVOKED)
      })

      it('a refresh token is invalid once its successor has been used', async () => {
        const by = await rotating(60)
        const first = await people(region).signIn(by, { username })
        const second = await people(region).getTokens(by, first.RefreshToken)
        await people(region).getTokens(by, second.RefreshToken)
        await assert.rejects(people(region).getTokens(by, first.RefreshToken), REUSED)
      })

      it('survives a restart of the region', async () => {
        const by = await rotating(0)
        const first = await people(region).signIn(by, { username })
        const second = await people(region).getTokens(by, first.RefreshToken)
        await region.restart()
        region.cognito.destroy()
        await people(region).getTokens(by, second.RefreshToken)
        await assert.rejects(people(region).getTokens(by, first.RefreshToken), REUSED)
      })

      it('does not extend the lifetime of the family', async () => {
        const by = await rotating(0, { RefreshTokenValidity: 2, TokenValidityUnits: { RefreshToken: 'hours' } })
        stopped = systemClock.now()
        const first = await people(region).signIn(by, { username })
        wound = 7_199 * SECOND
        const second = await people(region).getTokens(by, first.RefreshToken)
        wound = 7_200 * SECOND
        await assert.rejects(
          people(region).getTokens(by, second.RefreshToken),
          notAuthorized('Refresh Token has expired'),
        )
      })

      it('disables the other ways to refresh', async () => {
        const by = await rotating(0)
        const { RefreshToken } = await people(region).signIn(by, { username })
        await assert.rejects(people(region).refresh(by, RefreshToken), {
          name: 'InvalidParameterException',
          message: 'Auth flow not enabled for this client',
        })
      })
    })

    describe('RevokeToken', () => {
      it('revokes the tokens of one sign-in, and no others', async () => {
        const [one, two] = [
          await people(region).signIn(client, { username }),
          await people(region).signIn(client, { username }),
        ]
        const refreshed = await people(region).refresh(client, one.RefreshToken)
        assert.deepEqual(Object.keys(await revoke(one.RefreshToken)), ['$metadata'])
        await revoke(one.RefreshToken)
        await assert.rejects(people(region).refresh(client, one.RefreshToken), REVOKED)
        for (const { AccessToken } of [one, refreshed]) {
          await assert.rejects(people(region).getUser(AccessToken), notAuthorized('Access Token has been revoked'))
        }
        await people(region).getUser(two.AccessToken)
        await people(region).refresh(client, two.RefreshToken)
      })

      it('refuses access and ID tokens', async () => {
        const { AccessToken, IdToken } = await people(region).signIn(client, { username })
        for (const token of [AccessToken, IdToken]) {
          await assert.rejects(revoke(token), { name: 'UnsupportedTokenTypeException' })
        }
      })

      it('succeeds for tokens that are already invalid', async () => {
        const { RefreshToken } = await people(region).signIn(client, { username })
        await revoke('nonsense')
        wound = 31 * 86_400 * SECOND
        await revoke(RefreshToken)
      })

      it('is refused to other clients, and without the client secret', async () => {
        const { RefreshToken } = await people(region).signIn(confidential, { username })
        const unauthorized = { name: 'UnauthorizedException' }
        await assert.rejects(revoke(RefreshToken, { ...client, id: 'unknown' }), unauthorized)
        await assert.rejects(revoke(RefreshToken, client), unauthorized)
        await assert.rejects(revoke(RefreshToken, confidential), unauthorized)
        await assert.rejects(revoke(RefreshToken, confidential, 'a'.repeat(51)), unauthorized)
        await people(region).refresh(confidential, RefreshToken, { username })
        await revoke(RefreshToken, confidential, confidential.secret)
        await assert.rejects(people(region).refresh(confidential, RefreshToken, { username }), REVOKED)
      })

      it('is refused for a client with token revocation disabled', async () => {
        const lasting = await createClient(region, pool, { EnableTokenRevocation: false })
        const { RefreshToken } = await people(region).signIn(lasting, { username })
        await assert.rejects(revoke(RefreshToken, lasting), { name: 'UnsupportedOperationException' })
      })
    })
  })
}
