import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  type CreateUserPoolClientCommandInput,
  GetTokensFromRefreshTokenCommand,
  GetUserCommand,
  InitiateAuthCommand,
  RevokeTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { createClient, createPool, createUser, PASSWORD, secretHash, type TestClient } from '@twinpool/testing/pools'
import { engines, type Plane, type RunningRegion, startRegions } from '@twinpool/testing/regions'
import { systemClock } from '../../../clock.ts'

const SECOND = 1_000
const notAuthorized = (message: string) => ({ name: 'NotAuthorizedException', message })
const REVOKED = notAuthorized('Refresh Token has been revoked')
const REUSED = { name: 'RefreshTokenReuseException' }

interface Tokens {
  AccessToken: string
  IdToken: string
  RefreshToken: string
}

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

    const begin = async (
      AuthFlow: 'USER_PASSWORD_AUTH' | 'REFRESH_TOKEN_AUTH' | 'REFRESH_TOKEN',
      { id }: TestClient,
      AuthParameters: Record<string, string>,
    ): Promise<Tokens> => {
      const answer = await region.cognito.send(new InitiateAuthCommand({ AuthFlow, ClientId: id, AuthParameters }))
      return answer.AuthenticationResult as Tokens
    }
    const signIn = (by: TestClient = client): Promise<Tokens> =>
      begin('USER_PASSWORD_AUTH', by, {
        USERNAME: username,
        PASSWORD,
        ...(by.secret !== undefined && { SECRET_HASH: secretHash(by, username) }),
      })
    const refresh = (REFRESH_TOKEN: string, by: TestClient = client, SECRET_HASH?: string) =>
      begin('REFRESH_TOKEN_AUTH', by, { REFRESH_TOKEN, ...(SECRET_HASH !== undefined && { SECRET_HASH }) })
    const getTokens = async (RefreshToken: string, by: TestClient = client, ClientSecret?: string): Promise<Tokens> => {
      const answer = await region.cognito.send(
        new GetTokensFromRefreshTokenCommand({ RefreshToken, ClientId: by.id, ClientSecret }),
      )
      return answer.AuthenticationResult as Tokens
    }
    const revoke = (Token: string, by: TestClient = client, ClientSecret?: string) =>
      region.cognito.send(new RevokeTokenCommand({ Token, ClientId: by.id, ClientSecret }))
    const getUser = (AccessToken: string) => region.cognito.send(new GetUserCommand({ AccessToken }))

    for (const flow of ['REFRESH_TOKEN_AUTH', 'REFRESH_TOKEN'] as const) {
      it(`${flow} returns new access and ID tokens of the same sign-in, and no refresh token`, async () => {
        const first = await signIn()
        wound = 60 * SECOND
        const second = await begin(flow, client, { REFRESH_TOKEN: first.RefreshToken })
        assert.equal(second.RefreshToken, undefined)
        for (const token of ['AccessToken', 'IdToken'] as const) {
          const [old, fresh] = [claimsOf(first[token]), claimsOf(second[token])]
          for (const claim of ['sub', 'iss', 'origin_jti', 'auth_time', 'event_id']) {
            assert.equal(fresh[claim], old[claim], claim)
          }
          assert.notEqual(fresh.jti, old.jti)
          assert.ok((fresh.iat as number) >= (old.iat as number) + 59)
        }
        await getUser(second.AccessToken)
      })
    }

    it('refuses other strings, altered tokens and the tokens of another client', async () => {
      const { AccessToken, RefreshToken } = await signIn()
      const other = await createClient(region, pool)
      const bad = notAuthorized('Invalid Refresh Token')
      await assert.rejects(refresh(AccessToken), bad)
      await assert.rejects(refresh('nonsense'), bad)
      await assert.rejects(refresh('a.b.c.d.e'), bad)
      await assert.rejects(refresh(RefreshToken, other), bad)
      const parts = RefreshToken.split('.')
      for (const at of [0, 1, 2, 3, 4]) {
        const changed = [...parts]
        const bytes = Buffer.from(changed[at] as string, 'base64url')
        bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0)
        changed[at] = bytes.toString('base64url')
        await assert.rejects(refresh(changed.join('.')), bad, `part ${at}`)
      }
    })

    it('accepts a secret hash over the real username or the sub', async () => {
      const { RefreshToken } = await signIn(confidential)
      for (const name of [username, sub]) {
        assert.ok((await refresh(RefreshToken, confidential, secretHash(confidential, name))).AccessToken)
      }
      await assert.rejects(
        refresh(RefreshToken, confidential, secretHash(confidential, 'another')),
        notAuthorized(`SecretHash does not match for the client: ${confidential.id}`),
      )
      await assert.rejects(
        refresh(RefreshToken, confidential),
        notAuthorized(`Client ${confidential.id} is configured with secret but SECRET_HASH was not received`),
      )
    })

    describe('GetTokensFromRefreshToken', () => {
      it('returns no new refresh token to a client without rotation', async () => {
        const { RefreshToken } = await signIn()
        const answer = await getTokens(RefreshToken)
        assert.ok(answer.AccessToken && answer.IdToken)
        assert.equal(answer.RefreshToken, undefined)
        await getTokens(RefreshToken)
      })

      it('accepts the plain secret of a client', async () => {
        const { RefreshToken } = await signIn(confidential)
        assert.ok((await getTokens(RefreshToken, confidential, confidential.secret)).AccessToken)
        for (const secret of [undefined, 'a'.repeat(51)]) {
          await assert.rejects(getTokens(RefreshToken, confidential, secret), { name: 'NotAuthorizedException' })
        }
        await assert.rejects(getTokens((await signIn()).RefreshToken, client, 'a'.repeat(51)), {
          name: 'NotAuthorizedException',
        })
      })

      it('is refused to a client that is not allowed to refresh', async () => {
        const once = await createClient(region, pool, { ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH'] })
        const { RefreshToken } = await signIn(once)
        await assert.rejects(getTokens(RefreshToken, once), { name: 'InvalidParameterException' })
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
        const first = await signIn(by)
        const second = await getTokens(first.RefreshToken, by)
        const third = await getTokens(second.RefreshToken, by)
        assert.equal(new Set([first, second, third].map(({ RefreshToken }) => RefreshToken)).size, 3)
        assert.equal(claimsOf(third.AccessToken).origin_jti, claimsOf(first.AccessToken).origin_jti)
        assert.equal(claimsOf(third.AccessToken).auth_time, claimsOf(first.AccessToken).auth_time)
        await getUser(third.AccessToken)
      })

      it('a refresh token used twice revokes its family', async () => {
        const by = await rotating(0)
        const first = await signIn(by)
        const bystander = await signIn(by)
        const second = await getTokens(first.RefreshToken, by)
        await assert.rejects(getTokens(first.RefreshToken, by), REUSED)
        await assert.rejects(getTokens(first.RefreshToken, by), REVOKED)
        await assert.rejects(getTokens(second.RefreshToken, by), REVOKED)
        for (const { AccessToken } of [first, second]) {
          await assert.rejects(getUser(AccessToken), notAuthorized('Access Token has been revoked'))
        }
        await getUser(bystander.AccessToken)
        await getTokens(bystander.RefreshToken, by)
      })

      it('a refresh token used twice at the same moment is accepted once', async () => {
        const by = await rotating(0)
        const { RefreshToken } = await signIn(by)
        const outcomes = await Promise.allSettled(Array.from({ length: 4 }, () => getTokens(RefreshToken, by)))
        assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
      })

      it('a refresh token can be used again within the grace period after its first use', async () => {
        const by = await rotating(10)
        stopped = systemClock.now()
        const first = await signIn(by)
        wound = 3_600 * SECOND
        const [second, retried] = [await getTokens(first.RefreshToken, by), await getTokens(first.RefreshToken, by)]
        wound += 9_999
        await getTokens(first.RefreshToken, by)
        const third = await getTokens(retried.RefreshToken, by)
        await getTokens(second.RefreshToken, by)
        wound += 10 * SECOND
        await assert.rejects(getTokens(second.RefreshToken, by), REUSED)
        await assert.rejects(getTokens(third.RefreshToken, by), REVOKED)
      })

      it('a refresh token is invalid once its successor has been used', async () => {
        const by = await rotating(60)
        const first = await signIn(by)
        const second = await getTokens(first.RefreshToken, by)
        await getTokens(second.RefreshToken, by)
        await assert.rejects(getTokens(first.RefreshToken, by), REUSED)
      })

      it('survives a restart of the region', async () => {
        const by = await rotating(0)
        const first = await signIn(by)
        const second = await getTokens(first.RefreshToken, by)
        await region.restart()
        region.cognito.destroy()
        await getTokens(second.RefreshToken, by)
        await assert.rejects(getTokens(first.RefreshToken, by), REUSED)
      })

      it('does not extend the lifetime of the family', async () => {
        const by = await rotating(0, { RefreshTokenValidity: 2, TokenValidityUnits: { RefreshToken: 'hours' } })
        stopped = systemClock.now()
        const first = await signIn(by)
        wound = 7_199 * SECOND
        const second = await getTokens(first.RefreshToken, by)
        wound = 7_200 * SECOND
        await assert.rejects(getTokens(second.RefreshToken, by), notAuthorized('Refresh Token has expired'))
      })

      it('disables the other ways to refresh', async () => {
        const by = await rotating(0)
        const { RefreshToken } = await signIn(by)
        await assert.rejects(refresh(RefreshToken, by), {
          name: 'InvalidParameterException',
          message: 'Auth flow not enabled for this client',
        })
      })
    })

    describe('RevokeToken', () => {
      it('revokes the tokens of one sign-in, and no others', async () => {
        const [one, two] = [await signIn(), await signIn()]
        const refreshed = await refresh(one.RefreshToken)
        assert.deepEqual(Object.keys(await revoke(one.RefreshToken)), ['$metadata'])
        await revoke(one.RefreshToken)
        await assert.rejects(refresh(one.RefreshToken), REVOKED)
        for (const { AccessToken } of [one, refreshed]) {
          await assert.rejects(getUser(AccessToken), notAuthorized('Access Token has been revoked'))
        }
        await getUser(two.AccessToken)
        await refresh(two.RefreshToken)
      })

      it('refuses access and ID tokens', async () => {
        const { AccessToken, IdToken } = await signIn()
        for (const token of [AccessToken, IdToken]) {
          await assert.rejects(revoke(token), { name: 'UnsupportedTokenTypeException' })
        }
      })

      it('succeeds for tokens that are already invalid', async () => {
        const { RefreshToken } = await signIn()
        await revoke('nonsense')
        wound = 31 * 86_400 * SECOND
        await revoke(RefreshToken)
      })

      it('is refused to other clients, and without the client secret', async () => {
        const { RefreshToken } = await signIn(confidential)
        const unauthorized = { name: 'UnauthorizedException' }
        await assert.rejects(revoke(RefreshToken, client), unauthorized)
        await assert.rejects(revoke(RefreshToken, confidential), unauthorized)
        await assert.rejects(revoke(RefreshToken, confidential, 'a'.repeat(51)), unauthorized)
        await refresh(RefreshToken, confidential, secretHash(confidential, username))
        await revoke(RefreshToken, confidential, confidential.secret)
        await assert.rejects(refresh(RefreshToken, confidential, secretHash(confidential, username)), REVOKED)
      })

      it('is refused for a client with token revocation disabled', async () => {
        const lasting = await createClient(region, pool, { EnableTokenRevocation: false })
        const { RefreshToken } = await signIn(lasting)
        await assert.rejects(revoke(RefreshToken, lasting), { name: 'UnsupportedOperationException' })
      })
    })
  })
}
