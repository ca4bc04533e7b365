import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type CognitoIdentityProviderClient,
  CreateUserPoolClientCommand,
  type CreateUserPoolClientCommandInput,
  DeleteUserPoolClientCommand,
  DescribeUserPoolClientCommand,
  ListUserPoolClientsCommand,
  UpdateUserPoolClientCommand,
  type UserPoolClientType,
} from '@aws-sdk/client-cognito-identity-provider'
import { createClient, createPool } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'
import { addRows } from '../../../store/apply.ts'

type Settings = Partial<CreateUserPoolClientCommandInput>

const DEFAULTS = {
  RefreshTokenValidity: 30,
  TokenValidityUnits: {},
  AllowedOAuthFlowsUserPoolClient: false,
  PreventUserExistenceErrors: 'LEGACY',
  EnableTokenRevocation: true,
  EnablePropagateAdditionalUserContextData: false,
  AuthSessionValidity: 3,
  ClientType: 'REGULAR',
}

const EVERYTHING = {
  ClientName: 'everything',
  RefreshTokenValidity: 12,
  AccessTokenValidity: 30,
  IdTokenValidity: 3_600,
  TokenValidityUnits: { RefreshToken: 'hours', AccessToken: 'minutes', IdToken: 'seconds' },
  ReadAttributes: ['email', 'email_verified', 'custom:team'],
  WriteAttributes: ['email', 'custom:team'],
  ExplicitAuthFlows: ['ALLOW_USER_SRP_AUTH', 'ALLOW_USER_AUTH'],
  SupportedIdentityProviders: ['COGNITO'],
  CallbackURLs: ['https://app.example.com/back', 'http://localhost:3000/back', 'myapp://back'],
  LogoutURLs: ['https://app.example.com/bye'],
  DefaultRedirectURI: 'myapp://back',
  AllowedOAuthFlows: ['code', 'implicit'],
  AllowedOAuthScopes: ['openid', 'email', 'aws.cognito.signin.user.admin'],
  AllowedOAuthFlowsUserPoolClient: true,
  AnalyticsConfiguration: {
    ApplicationArn: 'arn:aws:mobiletargeting:us-west-2:000000000000:apps/1234567890abcdef',
    UserDataShared: true,
  },
  PreventUserExistenceErrors: 'ENABLED',
  EnableTokenRevocation: false,
  EnablePropagateAdditionalUserContextData: true,
  AuthSessionValidity: 15,
  RefreshTokenRotation: { Feature: 'ENABLED', RetryGracePeriodSeconds: 10 },
} satisfies Settings

const P = 'InvalidParameterException'
const FLOW = 'InvalidOAuthFlowException'
const RANGE = /^Invalid range for token validity\.$/
const oauth = (settings: Settings): Settings => ({
  AllowedOAuthFlowsUserPoolClient: true,
  AllowedOAuthFlows: ['code'],
  AllowedOAuthScopes: ['openid'],
  CallbackURLs: ['https://app.example.com/'],
  ...settings,
})

const REFUSED: [what: string, settings: Settings, name: string, message?: RegExp][] = [
  ['a legacy flow together with a new one', { ExplicitAuthFlows: ['USER_PASSWORD_AUTH', 'ALLOW_USER_SRP_AUTH'] }, P],
  [
    'rotation together with REFRESH_TOKEN_AUTH',
    { ExplicitAuthFlows: ['ALLOW_REFRESH_TOKEN_AUTH'], RefreshTokenRotation: { Feature: 'ENABLED' } },
    P,
  ],
  ['an unknown flow', { ExplicitAuthFlows: ['NONE' as 'ALLOW_USER_AUTH'] }, P, /1 validation error detected/],
  [
    'access tokens below 5 minutes',
    { AccessTokenValidity: 4, TokenValidityUnits: { AccessToken: 'minutes' } },
    P,
    RANGE,
  ],
  ['access tokens above a day', { AccessTokenValidity: 25 }, P, RANGE],
  ['ID tokens above a day', { IdTokenValidity: 2, TokenValidityUnits: { IdToken: 'days' } }, P, RANGE],
  [
    'refresh tokens below an hour',
    { RefreshTokenValidity: 59, TokenValidityUnits: { RefreshToken: 'minutes' } },
    P,
    RANGE,
  ],
  ['refresh tokens above 10 years', { RefreshTokenValidity: 3_651 }, P, RANGE],
  ['an authentication session above 15 minutes', { AuthSessionValidity: 16 }, P],
  [
    'an unknown read attribute',
    { ReadAttributes: ['custom:nothing'] },
    P,
    /^Invalid read attributes specified while creating a client$/,
  ],
  [
    'an unknown write attribute',
    { WriteAttributes: ['email', 'custom:nothing'] },
    P,
    /^Invalid write attributes specified while creating a client$/,
  ],
  ['verified flags as write attributes', { WriteAttributes: ['email', 'email_verified'] }, P, /write attributes/],
  ['sub as a write attribute', { WriteAttributes: ['email', 'sub'] }, P],
  ['a developer attribute as a write attribute', { WriteAttributes: ['email', 'dev:note'] }, P],
  ['write attributes without a required attribute', { WriteAttributes: ['name'] }, P, /write attributes/],
  [
    'an unknown provider',
    { SupportedIdentityProviders: ['COGNITO', 'Facebook'] },
    P,
    /^The provider Facebook does not exist for User Pool/,
  ],
  ['a callback without encryption', { CallbackURLs: ['http://example.com/'] }, P, /HTTP protocol/],
  ['a callback with a fragment', { CallbackURLs: ['https://example.com/#there'] }, P],
  ['a callback that is not absolute', { CallbackURLs: ['/back'] }, P],
  ['a callback that runs as script', { CallbackURLs: ['javascript:alert(1)'] }, P],
  ['a logout URL without encryption', { LogoutURLs: ['http://example.com/'] }, P],
  [
    'a default callback that is not in the list',
    { CallbackURLs: ['https://a.example.com/'], DefaultRedirectURI: 'https://b.example.com/' },
    P,
  ],
  ['one callback twice', { CallbackURLs: ['https://a.example.com/', 'https://a.example.com/'] }, P],
  [
    'OAuth without flows',
    oauth({ AllowedOAuthFlows: undefined }),
    FLOW,
    /are required if user pool client is allowed to use OAuth flows/,
  ],
  ['OAuth without scopes', oauth({ AllowedOAuthScopes: [] }), FLOW],
  ['the code flow without a callback', oauth({ CallbackURLs: undefined }), FLOW],
  [
    'client_credentials together with another flow',
    oauth({ AllowedOAuthFlows: ['code', 'client_credentials'], GenerateSecret: true }),
    FLOW,
    /along with code flow or implicit flow/,
  ],
  [
    'client_credentials without a secret',
    oauth({ AllowedOAuthFlows: ['client_credentials'] }),
    FLOW,
    /does not have a client secret/,
  ],
  [
    'client_credentials with user scopes',
    oauth({ AllowedOAuthFlows: ['client_credentials'], GenerateSecret: true }),
    FLOW,
  ],
  ['an unknown scope', oauth({ AllowedOAuthScopes: ['openid', 'api/read'] }), 'ScopeDoesNotExistException'],
  ['analytics without an application', { AnalyticsConfiguration: { UserDataShared: true } }, P],
  ['analytics by id without a role', { AnalyticsConfiguration: { ApplicationId: 'abcdef' } }, P],
  ['context data without a secret', { EnablePropagateAdditionalUserContextData: true }, P],
]

for (const engine of engines) {
  describe(`app clients on ${engine}`, () => {
    let plane: Plane
    let cognito: CognitoIdentityProviderClient
    let pool: string
    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
      cognito = plane.primary.cognito
      pool = await createPool(plane.primary, {
        Schema: [
          { Name: 'email', AttributeDataType: 'String', Required: true },
          { Name: 'team', AttributeDataType: 'String' },
          { Name: 'note', AttributeDataType: 'String', DeveloperOnlyAttribute: true },
        ],
      })
    })
    after(() => plane.stop())

    const create = async (settings: Settings = {}, UserPoolId = pool): Promise<UserPoolClientType> => {
      const { UserPoolClient } = await cognito.send(
        new CreateUserPoolClientCommand({ UserPoolId, ClientName: 'app', ...settings }),
      )
      return UserPoolClient as UserPoolClientType
    }
    const describeClient = async (ClientId: string | undefined, UserPoolId = pool): Promise<UserPoolClientType> => {
      const { UserPoolClient } = await cognito.send(new DescribeUserPoolClientCommand({ UserPoolId, ClientId }))
      return UserPoolClient as UserPoolClientType
    }

    it('fills in defaults', async () => {
      const made = await create()
      assert.match(made.ClientId ?? '', /^[0-9a-z]{26}$/)
      const { ClientId, CreationDate, LastModifiedDate, ...rest } = await describeClient(made.ClientId)
      assert.deepEqual({ ...made }, { ClientId, CreationDate, LastModifiedDate, ...rest })
      assert.deepEqual(rest, { UserPoolId: pool, ClientName: 'app', ...DEFAULTS })
      assert.deepEqual(CreationDate, LastModifiedDate)
    })

    it('returns every member that it accepts', async () => {
      const made = await create({ ...EVERYTHING, GenerateSecret: true })
      const { ClientId, CreationDate, LastModifiedDate, UserPoolId, ClientSecret, ClientType, ...shown } =
        await describeClient(made.ClientId)
      assert.deepEqual(shown, EVERYTHING)
      assert.match(ClientSecret ?? '', /^[0-9a-z]{51}$/)
      assert.equal(ClientSecret, made.ClientSecret)
    })

    it('accepts a secret from the caller, and stores it encrypted', async () => {
      const ClientSecret = 'a1234567890123456789012345678901'
      const made = await create({ ClientSecret })
      assert.equal((await describeClient(made.ClientId)).ClientSecret, ClientSecret)
      const row = await plane.primary.region.context.store.find('client', { pool, key: made.ClientId ?? '' })
      assert.ok(row && !row.body.includes(ClientSecret))
      await assert.rejects(create({ ClientSecret, GenerateSecret: true }), { name: P })
      await assert.rejects(create({ ClientSecret: 'too-short' }), { name: P })
    })

    it('shows the default lifetime of a refresh token in the requested unit, also in place of 0', async () => {
      assert.equal((await create({ TokenValidityUnits: { RefreshToken: 'minutes' } })).RefreshTokenValidity, 43_200)
      assert.equal((await create({ RefreshTokenValidity: 0 })).RefreshTokenValidity, 30)
    })

    it('accepts the legacy names of flows only without the new ones', async () => {
      const ExplicitAuthFlows: Settings['ExplicitAuthFlows'] = ['ADMIN_NO_SRP_AUTH', 'USER_PASSWORD_AUTH']
      assert.deepEqual((await create({ ExplicitAuthFlows })).ExplicitAuthFlows, ExplicitAuthFlows)
    })

    for (const [what, settings, name, message] of REFUSED) {
      it(`refuses ${what}`, async () => {
        await assert.rejects(create(settings), { name, ...(message && { message }) })
      })
    }

    it('refuses choice-based sign-in on Lite', async () => {
      const lite = await createPool(plane.primary, { UserPoolTier: 'LITE' })
      await assert.rejects(create({ ExplicitAuthFlows: ['ALLOW_USER_AUTH'] }, lite), {
        name: 'FeatureUnavailableInTierException',
      })
    })

    it('allows the scope for client registration only in pools with client registration', async () => {
      const settings = oauth({ AllowedOAuthScopes: ['openid', 'aws.cognito/dcr/register'] })
      await assert.rejects(create(settings), { name: 'ScopeDoesNotExistException' })
      const registering = await createPool(plane.primary, { DcrConfiguration: {} })
      assert.deepEqual((await create(settings, registering)).AllowedOAuthScopes, settings.AllowedOAuthScopes)
    })

    describe('UpdateUserPoolClient', () => {
      const update = (ClientId: string | undefined, settings: Settings = {}) =>
        cognito.send(new UpdateUserPoolClientCommand({ UserPoolId: pool, ClientId, ...settings }))

      it('replaces everything but name, secret, and the members that the first SDK lacks', async () => {
        const made = await create({ ...EVERYTHING, GenerateSecret: true })
        const { UserPoolClient } = await update(made.ClientId)
        const { ClientId, CreationDate, LastModifiedDate, ...rest } = await describeClient(made.ClientId)
        assert.deepEqual({ ...UserPoolClient }, { ClientId, CreationDate, LastModifiedDate, ...rest })
        const { ClientSecret } = made
        const { EnableTokenRevocation, EnablePropagateAdditionalUserContextData } = EVERYTHING
        const { AuthSessionValidity, RefreshTokenRotation } = EVERYTHING
        assert.deepEqual(rest, {
          UserPoolId: pool,
          ClientName: 'everything',
          ClientSecret,
          ...DEFAULTS,
          EnableTokenRevocation,
          EnablePropagateAdditionalUserContextData,
          AuthSessionValidity,
          RefreshTokenRotation,
        })
        assert.deepEqual(CreationDate, made.CreationDate)
        const ExplicitAuthFlows = ['ALLOW_REFRESH_TOKEN_AUTH', 'ALLOW_USER_SRP_AUTH'] as const
        await update(made.ClientId, { ExplicitAuthFlows: [...ExplicitAuthFlows] })
        assert.equal((await describeClient(made.ClientId)).RefreshTokenRotation, undefined)
      })

      it('accepts every member', async () => {
        const made = await create({ GenerateSecret: true })
        await update(made.ClientId, EVERYTHING)
        const shown = await describeClient(made.ClientId)
        for (const [member, value] of Object.entries(EVERYTHING)) {
          assert.deepEqual(shown[member as keyof UserPoolClientType], value, member)
        }
      })

      it('refuses the same input as CreateUserPoolClient', async () => {
        const { ClientId } = await create()
        for (const [what, { GenerateSecret, ...settings }, name] of REFUSED) {
          await assert.rejects(update(ClientId, settings), { name }, what)
        }
        await assert.rejects(update(ClientId, { ReadAttributes: ['custom:nothing'] }), {
          message: 'Invalid read attributes specified while updating a client',
        })
      })
    })

    it('belongs to one pool: another pool does not have it', async () => {
      const { ClientId } = await create()
      const other = await createPool(plane.primary)
      const message = `User pool client ${ClientId} does not exist.`
      const absent = { name: 'ResourceNotFoundException', message }
      await assert.rejects(describeClient(ClientId, other), absent)
      await assert.rejects(cognito.send(new UpdateUserPoolClientCommand({ UserPoolId: other, ClientId })), absent)
      await assert.rejects(cognito.send(new DeleteUserPoolClientCommand({ UserPoolId: other, ClientId })), absent)
    })

    it('no longer exists once deleted', async () => {
      const { ClientId } = await create()
      await cognito.send(new DeleteUserPoolClientCommand({ UserPoolId: pool, ClientId }))
      await assert.rejects(describeClient(ClientId), { name: 'ResourceNotFoundException' })
      await assert.rejects(cognito.send(new DeleteUserPoolClientCommand({ UserPoolId: pool, ClientId })), {
        name: 'ResourceNotFoundException',
      })
    })

    describe('ListUserPoolClients', () => {
      const list = (UserPoolId: string, MaxResults?: number, NextToken?: string) =>
        cognito.send(new ListUserPoolClientsCommand({ UserPoolId, MaxResults, NextToken }))

      it('goes through all clients, a page at a time, and shows no secret', async () => {
        const own = await createPool(plane.primary)
        const made: string[] = []
        for (let n = 0; n < 5; n += 1) made.push((await createClient(plane.primary, own, { GenerateSecret: true })).id)
        const seen: (string | undefined)[] = []
        let token: string | undefined
        do {
          const page = await list(own, 2, token)
          for (const entry of page.UserPoolClients ?? []) {
            assert.deepEqual(Object.keys(entry).sort(), ['ClientId', 'ClientName', 'UserPoolId'])
            seen.push(entry.ClientId)
          }
          token = page.NextToken
        } while (token)
        assert.deepEqual(seen.sort(), made.sort())
      })

      it('refuses the token of another pool', async () => {
        const own = await createPool(plane.primary)
        for (let n = 0; n < 2; n += 1) await createClient(plane.primary, own)
        const { NextToken } = await list(own, 1)
        await assert.rejects(list(pool, 1, NextToken), { name: P })
        await assert.rejects(list(own, 1, 'nonsense'), { name: P })
      })
    })

    it('can exist 1,000 times in a pool at most', async () => {
      const own = await createPool(plane.primary)
      const rows = Array.from({ length: 1_000 }, (_, n) => {
        return { pool: own, key: `${own}${n}`, body: '{}', fields: {}, stamp: { epoch: 1, seq: 1 } }
      })
      await plane.primary.region.context.store.transaction((connection) => addRows(connection, 'client', rows))
      await assert.rejects(create({}, own), { name: 'LimitExceededException' })
    })
  })
}
