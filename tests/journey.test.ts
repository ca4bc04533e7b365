import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  AdminGetUserCommand,
  ConfirmSignUpCommand,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
  CreateUserPoolReplicaCommand,
  GetUserCommand,
  GlobalSignOutCommand,
  InitiateAuthCommand,
  ListUserPoolReplicasCommand,
  SignUpCommand,
  UpdateUserAttributesCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { CreateKeyCommand, ReplicateKeyCommand } from '@aws-sdk/client-kms'
import { createTwinpoolClient } from '@twinpool/client'
import { type DevProcess, startDevProcess } from '@twinpool/testing/dev-plane'
import { people, type Tokens } from '@twinpool/testing/people'
import { engines, until } from '@twinpool/testing/regions'
import { JwtVerifier } from 'aws-jwt-verify'

const PASSWORD = 'Correct-Horse-1'
const ada = { username: 'ada', password: PASSWORD }

for (const engine of engines) {
  describe(`the whole journey, over real processes on ${engine}`, () => {
    let dev: DevProcess
    let pool: string
    let client: string
    let signedIn: Tokens

    before(async () => {
      dev = await startDevProcess({ engine, storedKeyPairs: false })
    })
    after(() => dev?.stop())

    const app = () => ({ pool, id: client, secret: undefined })
    const equalDirectories = async (): Promise<boolean> => {
      const sums = await Promise.all(
        [dev.primary, dev.secondary].map(({ ask }) =>
          ask<{ Checksum: string }>('GetDirectoryChecksum', { UserPoolId: pool }),
        ),
      )
      return sums[0]?.Checksum === sums[1]?.Checksum
    }
    const statusOf = async ({ cognito }: DevProcess['primary']): Promise<string | undefined> => {
      const { UserPoolReplicas } = await cognito.send(new ListUserPoolReplicasCommand({ UserPoolId: pool }))
      return UserPoolReplicas?.find(({ Role }) => Role === 'SECONDARY')?.Status
    }

    it('creates a pool under a multi-Region key, and replicates it', async () => {
      const { primary, secondary } = dev
      const { KeyMetadata } = await primary.kms.send(new CreateKeyCommand({ MultiRegion: true }))
      await primary.kms.send(new ReplicateKeyCommand({ KeyId: KeyMetadata?.KeyId, ReplicaRegion: secondary.name }))
      const { UserPool } = await primary.cognito.send(
        new CreateUserPoolCommand({
          PoolName: 'journey',
          KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: KeyMetadata?.Arn },
          IssuerConfiguration: { Type: 'UPDATED' },
          AutoVerifiedAttributes: ['email'],
        }),
      )
      pool = UserPool?.Id as string
      const { UserPoolClient } = await primary.cognito.send(
        new CreateUserPoolClientCommand({
          UserPoolId: pool,
          ClientName: 'app',
          ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH', 'ALLOW_USER_SRP_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH'],
        }),
      )
      client = UserPoolClient?.ClientId as string
      const { UserPoolReplica } = await primary.cognito.send(
        new CreateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary.name }),
      )
      assert.equal(UserPoolReplica?.Status, 'CREATING')
      await until(async () => (await statusOf(primary)) === 'INACTIVE', { what: 'INACTIVE' })
      await primary.cognito.send(
        new UpdateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary.name, Status: 'ACTIVE' }),
      )
      await until(async () => (await statusOf(secondary).catch(() => undefined)) === 'ACTIVE', {
        what: 'ACTIVE in the secondary',
      })
    })

    it('signs a user up, and in by password and by SRP, in either region', async () => {
      const { primary, secondary } = dev
      await primary.cognito.send(
        new SignUpCommand({
          ClientId: client,
          Username: 'ada',
          Password: PASSWORD,
          UserAttributes: [{ Name: 'email', Value: 'ada@example.com' }],
        }),
      )
      await primary.cognito.send(
        new ConfirmSignUpCommand({
          ClientId: client,
          Username: 'ada',
          ConfirmationCode: await dev.codeFor('ada@example.com'),
        }),
      )
      await until(equalDirectories, { what: 'equal directories' })
      signedIn = await people(primary).signIn(app(), ada)
      for (const region of [primary, secondary]) {
        assert.ok((await people(region).signInBySrp(app(), ada)).AccessToken)
      }
    })

    it('finishes a sign-in in one region that began in the other', async () => {
      for (const [begin, finish] of [
        [dev.primary, dev.secondary],
        [dev.secondary, dev.primary],
      ] as const) {
        assert.ok((await people(begin).signInBySrp(app(), { ...ada, finishIn: finish })).AccessToken)
      }
    })

    it('accepts tokens of either region in both, and so does an independent verifier', async () => {
      const { primary, secondary } = dev
      const other = await people(secondary).signIn(app(), ada)
      const verifier = JwtVerifier.create({
        issuer: `${dev.ready.control}/${pool}`,
        audience: null,
        jwksUri: `${dev.ready.control}/${pool}/.well-known/jwks.json`,
      })
      for (const token of [signedIn.AccessToken, other.AccessToken]) {
        for (const { cognito } of [primary, secondary]) {
          const user = await cognito.send(new GetUserCommand({ AccessToken: token }))
          assert.equal(user.Username, 'ada')
        }
      }
      const keys = await (await fetch(`${dev.ready.control}/${pool}/.well-known/jwks.json`)).json()
      verifier.cacheJwks(keys as Parameters<typeof verifier.cacheJwks>[0])
      for (const token of [signedIn.AccessToken, signedIn.IdToken, other.AccessToken, other.IdToken]) {
        const claims = verifier.verifySync(token as string)
        assert.equal(claims.iss, `${dev.ready.control}/${pool}`)
      }
    })

    it('continues after the primary is killed, with the same passwords, tokens and issuer', async () => {
      const { primary, secondary } = dev
      const twinpool = createTwinpoolClient({
        regions: { [primary.name]: primary.cognito, [secondary.name]: secondary.cognito },
        primary: primary.name,
      })
      await dev.control(primary.name, 'kill')
      const { AuthenticationResult } = await twinpool.send(
        new InitiateAuthCommand({
          ClientId: client,
          AuthFlow: 'USER_PASSWORD_AUTH',
          AuthParameters: { USERNAME: 'ada', PASSWORD },
        }),
      )
      assert.ok(AuthenticationResult?.AccessToken)
      assert.ok((await people(secondary).refresh(app(), signedIn.RefreshToken)).AccessToken)
      const user = await twinpool.send(new GetUserCommand({ AccessToken: signedIn.AccessToken }))
      assert.equal(user.Username, 'ada')
      assert.equal((await fetch(`${dev.ready.control}/${pool}/.well-known/jwks.json`)).status, 200)
      await assert.rejects(
        secondary.cognito.send(new SignUpCommand({ ClientId: client, Username: 'eve', Password: PASSWORD })),
        { name: 'OperationNotEnabledException' },
      )
      await assert.rejects(
        secondary.cognito.send(
          new UpdateUserAttributesCommand({
            AccessToken: signedIn.AccessToken,
            UserAttributes: [{ Name: 'name', Value: 'x' }],
          }),
        ),
        { name: 'OperationNotEnabledException' },
      )
      twinpool.close()
    })

    it('keeps a sign-out that was made while the primary was down', async () => {
      const { primary, secondary } = dev
      const leaving = await people(secondary).signIn(app(), ada)
      await secondary.cognito.send(new GlobalSignOutCommand({ AccessToken: leaving.AccessToken }))
      await dev.control(primary.name, 'start')
      await until(
        () =>
          primary.cognito.send(new GetUserCommand({ AccessToken: leaving.AccessToken })).then(
            () => false,
            () => true,
          ),
        { what: 'the sign-out in the primary' },
      )
      for (const { cognito } of [primary, secondary]) {
        for (const tokens of [leaving, signedIn]) {
          await assert.rejects(cognito.send(new GetUserCommand({ AccessToken: tokens.AccessToken })), {
            name: 'NotAuthorizedException',
          })
          await assert.rejects(people({ cognito }).refresh(app(), tokens.RefreshToken), {
            name: 'NotAuthorizedException',
          })
        }
      }
    })

    it('catches up when the primary returns', async () => {
      const { primary, secondary } = dev
      await primary.cognito.send(new SignUpCommand({ ClientId: client, Username: 'grace', Password: PASSWORD }))
      await until(
        () =>
          secondary.cognito.send(new AdminGetUserCommand({ UserPoolId: pool, Username: 'grace' })).then(
            () => true,
            () => false,
          ),
        { what: 'the new user in the secondary' },
      )
      await until(equalDirectories, { what: 'equal directories' })
      assert.ok((await people(primary).signIn(app(), ada)).AccessToken)
    })
  })
}
