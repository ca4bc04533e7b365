import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type CognitoIdentityProviderClient,
  CreateUserPoolReplicaCommand,
  type CreateUserPoolReplicaCommandInput,
  DeleteUserPoolCommand,
  DeleteUserPoolReplicaCommand,
  DescribeUserPoolCommand,
  GetUserPoolMfaConfigCommand,
  ListTagsForResourceCommand,
  ListUserPoolReplicasCommand,
  ListUserPoolsCommand,
  SetUserPoolMfaConfigCommand,
  TagResourceCommand,
  UpdateUserPoolCommand,
  type UpdateUserPoolCommandInput,
  UpdateUserPoolReplicaCommand,
  type UserPoolType,
} from '@aws-sdk/client-cognito-identity-provider'
import { createPool } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions, until } from '@twinpool/testing/regions'
import {
  addReplica,
  createKey,
  createReplicablePool,
  createReplicatedPool,
  removeReplica,
  replicaIs,
} from '@twinpool/testing/replicas'

const WEST = 'us-west-2'
const EAST = 'us-east-1'
const LAMBDA = `arn:aws:lambda:${EAST}:000000000000:function:hook`
const SmsConfiguration = { SnsCallerArn: 'arn:aws:iam::000000000000:role/sms', SnsRegion: WEST }
const P = 'InvalidParameterException'
const NOT_ENABLED = 'OperationNotEnabledException'
const arnOf = (pool: string, region: string): string => `arn:aws:cognito-idp:${region}:000000000000:userpool/${pool}`

/** The settings of a described pool as the input of UpdateUserPool. */
function settingsOf(pool: UserPoolType): UpdateUserPoolCommandInput {
  const { Id, Name, Arn, CreationDate, LastModifiedDate, SchemaAttributes, EstimatedNumberOfUsers, ...settings } = pool
  const { AliasAttributes, UsernameAttributes, UsernameConfiguration, Domain, CustomDomain, ...rest } = settings
  return { UserPoolId: Id, PoolName: Name, ...rest }
}

for (const engine of engines) {
  describe(`replicas on ${engine}`, () => {
    let plane: Plane
    let west: CognitoIdentityProviderClient
    let east: CognitoIdentityProviderClient
    before(async () => {
      plane = await startRegions({ engine })
      west = plane.primary.cognito
      east = plane.secondary.cognito
    })
    after(() => plane.stop())

    const create = (UserPoolId: string, input: Partial<CreateUserPoolReplicaCommandInput> = {}) =>
      west.send(new CreateUserPoolReplicaCommand({ UserPoolId, RegionName: EAST, ...input }))
    const turn = (UserPoolId: string, Status: 'ACTIVE' | 'INACTIVE', { from = west, RegionName = EAST } = {}) =>
      from.send(new UpdateUserPoolReplicaCommand({ UserPoolId, RegionName, Status }))
    const remove = (UserPoolId: string, { from = west, RegionName = EAST } = {}) =>
      from.send(new DeleteUserPoolReplicaCommand({ UserPoolId, RegionName }))
    const describePool = async (UserPoolId: string, from = west): Promise<UserPoolType> =>
      (await from.send(new DescribeUserPoolCommand({ UserPoolId }))).UserPool as UserPoolType

    describe('CreateUserPoolReplica', () => {
      it('starts a replica that becomes INACTIVE', async () => {
        const pool = await createReplicablePool(plane)
        const { UserPoolReplica } = await create(pool)
        assert.deepEqual(
          { ...UserPoolReplica },
          {
            RegionName: EAST,
            Status: 'CREATING',
            Role: 'SECONDARY',
            UserPoolArn: arnOf(pool, EAST),
          },
        )
        await replicaIs({ region: plane.primary, pool, name: EAST, status: 'INACTIVE' })
      })

      it('needs Essentials or Plus', async () => {
        const pool = await createReplicablePool(plane, { UserPoolTier: 'LITE' })
        await assert.rejects(create(pool), { name: 'FeatureUnavailableInTierException' })
      })

      it('needs a customer managed key', async () => {
        await assert.rejects(create(await createPool(plane.primary)), { name: P, message: /customer managed/ })
      })

      it('needs a multi-Region key', async () => {
        const KmsKeyArn = await createKey(plane, { multiRegion: false })
        const pool = await createPool(plane.primary, {
          KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn },
        })
        await assert.rejects(create(pool), { name: P, message: /not a multi-Region key/ })
      })

      it('needs a key that exists in the other region', async () => {
        const KmsKeyArn = await createKey({ ...plane, regions: [plane.primary] })
        const pool = await createPool(plane.primary, {
          KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn },
        })
        await assert.rejects(create(pool), { name: P, message: /not replicated to us-east-1/ })
      })

      it('needs another region that exists and supports replicas', async () => {
        const pool = await createReplicablePool(plane)
        for (const RegionName of [WEST, 'ap-northeast-3', 'eu-west-1', 'nowhere']) {
          await assert.rejects(create(pool, { RegionName }), { name: P }, RegionName)
        }
      })

      it('refuses bad tags', async () => {
        const pool = await createReplicablePool(plane)
        await assert.rejects(create(pool, { UserPoolTags: { 'aws:mine': '' } }), { name: 'UserPoolTaggingException' })
      })

      it('creates one secondary at most', async () => {
        const pool = await createReplicatedPool(plane, { active: false })
        await assert.rejects(create(pool), { name: 'LimitExceededException' })
      })

      it('is refused in a secondary region', async () => {
        const UserPoolId = await createReplicatedPool(plane)
        const command = new CreateUserPoolReplicaCommand({ UserPoolId, RegionName: EAST })
        await assert.rejects(east.send(command), { name: NOT_ENABLED })
      })
    })

    describe('ListUserPoolReplicas', () => {
      it('lists the primary first, in every region, under the ARN of each', async () => {
        const pool = await createReplicatedPool(plane)
        for (const cognito of [west, east]) {
          const { UserPoolReplicas, NextToken } = await cognito.send(
            new ListUserPoolReplicasCommand({ UserPoolId: pool }),
          )
          assert.deepEqual(UserPoolReplicas, [
            { RegionName: WEST, Status: 'ACTIVE', Role: 'PRIMARY', UserPoolArn: arnOf(pool, WEST) },
            { RegionName: EAST, Status: 'ACTIVE', Role: 'SECONDARY', UserPoolArn: arnOf(pool, EAST) },
          ])
          assert.equal(NextToken, undefined)
        }
        await assert.rejects(west.send(new ListUserPoolReplicasCommand({ UserPoolId: pool, NextToken: 'mine' })), {
          name: P,
        })
      })

      it('lists the primary of a pool that has no replica', async () => {
        const pool = await createPool(plane.primary)
        const { UserPoolReplicas } = await west.send(new ListUserPoolReplicasCommand({ UserPoolId: pool }))
        assert.deepEqual(
          UserPoolReplicas?.map(({ Role }) => Role),
          ['PRIMARY'],
        )
      })
    })

    describe('UpdateUserPoolReplica and DeleteUserPoolReplica', () => {
      let pool: string
      before(async () => {
        pool = await createReplicatedPool(plane, { active: false })
      })
      const reportsStatus = async (status: 'ACTIVE' | 'INACTIVE') => {
        for (const region of plane.regions) await replicaIs({ region, pool, name: EAST, status })
      }

      it('turns a replica on and off from either region', async () => {
        const { UserPoolReplica } = await turn(pool, 'ACTIVE', { from: east })
        assert.equal(UserPoolReplica?.Status, 'ACTIVE')
        await reportsStatus('ACTIVE')
        await turn(pool, 'INACTIVE', { from: west })
        await reportsStatus('INACTIVE')
        await turn(pool, 'INACTIVE')
        await turn(pool, 'ACTIVE')
        await reportsStatus('ACTIVE')
        await turn(pool, 'INACTIVE', { from: east })
        await reportsStatus('INACTIVE')
      })

      it('refuses the primary, and a region without a replica', async () => {
        await assert.rejects(turn(pool, 'INACTIVE', { RegionName: WEST }), { name: P })
        await assert.rejects(remove(pool, { RegionName: WEST }), { name: P })
        await assert.rejects(turn(pool, 'ACTIVE', { RegionName: 'eu-west-1' }), { name: 'ResourceNotFoundException' })
        await assert.rejects(remove(pool, { RegionName: 'eu-west-1' }), { name: 'ResourceNotFoundException' })
      })

      it('does not change a replica that is being created or deleted', async () => {
        const { store } = plane.primary.region.context
        const own = await createPool(plane.primary)
        // A region that does not exist, so that the replica does not progress by itself.
        const RegionName = 'eu-west-1'
        for (const [version, status] of ['CREATING', 'DELETING'].entries()) {
          const body = JSON.stringify({ region: RegionName, status, version })
          await store.write((tx) => tx.share('replica', { pool: own, key: RegionName, body }))
          await assert.rejects(turn(own, 'ACTIVE', { RegionName }), { name: P }, status)
          await assert.rejects(remove(own, { RegionName }), { name: P }, status)
        }
      })

      it('removes only an INACTIVE replica, from either region, and allows it to be created again', async () => {
        const own = await createReplicatedPool(plane)
        await assert.rejects(remove(own), { name: P, message: /INACTIVE/ })
        await turn(own, 'INACTIVE')
        await replicaIs({ region: plane.secondary, pool: own, name: EAST, status: 'INACTIVE' })
        const { UserPoolReplica } = await remove(own, { from: east })
        assert.equal(UserPoolReplica?.Status, 'DELETING')
        await replicaIs({ region: plane.primary, pool: own, name: EAST, status: undefined })
        await assert.rejects(describePool(own, east), { name: 'ResourceNotFoundException' })
        await assert.rejects(turn(own, 'ACTIVE'), { name: 'ResourceNotFoundException' })
        await addReplica(plane, own)
        assert.equal((await describePool(own, east)).Id, own)
      })
    })

    describe('a pool with a replica', () => {
      let pool: string
      before(async () => {
        const settings = {
          PoolName: 'shared',
          UserPoolTier: 'PLUS',
          UserPoolAddOns: { AdvancedSecurityMode: 'AUDIT' },
          UserPoolTags: { side: 'west' },
          LambdaConfig: { PreSignUp: LAMBDA.replace(EAST, WEST) },
          SmsConfiguration,
          MfaConfiguration: 'OPTIONAL',
          EmailConfiguration: { ReplyToEmailAddress: 'west@example.com' },
        } as const
        pool = await createReplicablePool(plane, settings)
        await create(pool, { UserPoolTags: { side: 'east' } })
        await replicaIs({ region: plane.secondary, pool, name: EAST, status: 'INACTIVE' })
      })

      it('starts in its region without triggers, e-mail or SMS settings, and with its own tags', async () => {
        const shown = await describePool(pool, east)
        assert.equal(shown.Arn, arnOf(pool, EAST))
        assert.deepEqual(shown.LambdaConfig, {})
        assert.deepEqual(shown.EmailConfiguration, { EmailSendingAccount: 'COGNITO_DEFAULT' })
        assert.equal(shown.SmsConfiguration, undefined)
        assert.deepEqual(shown.UserPoolTags, { side: 'east' })
        assert.match(shown.KeyConfiguration?.KmsKeyArn ?? '', /^arn:aws:kms:us-east-1:/)
        assert.equal(shown.UserPoolTier, 'PLUS')
      })

      it('is listed in both regions', async () => {
        for (const cognito of [west, east]) {
          const { UserPools } = await cognito.send(new ListUserPoolsCommand({ MaxResults: 60 }))
          assert.deepEqual(UserPools?.find(({ Id }) => Id === pool)?.ReplicaRegions, [EAST])
        }
      })

      it('keeps separate tags in each region', async () => {
        await east.send(new TagResourceCommand({ ResourceArn: arnOf(pool, EAST), Tags: { more: 'here' } }))
        const tagsOf = async (cognito: CognitoIdentityProviderClient, region: string) =>
          (await cognito.send(new ListTagsForResourceCommand({ ResourceArn: arnOf(pool, region) }))).Tags
        assert.deepEqual(await tagsOf(east, EAST), { side: 'east', more: 'here' })
        assert.deepEqual(await tagsOf(west, WEST), { side: 'west' })
      })

      it('accepts regional settings in the secondary region if every global one is unchanged', async () => {
        const regional = {
          LambdaConfig: { PreSignUp: LAMBDA },
          EmailConfiguration: { EmailSendingAccount: 'COGNITO_DEFAULT', ReplyToEmailAddress: 'east@example.com' },
          SmsConfiguration: { SnsCallerArn: 'arn:aws:iam::000000000000:role/east', SnsRegion: EAST },
          UserPoolTags: { side: 'far east' },
        } as const
        await east.send(new UpdateUserPoolCommand({ ...settingsOf(await describePool(pool, east)), ...regional }))
        const [there, here] = [await describePool(pool, east), await describePool(pool)]
        for (const [member, value] of Object.entries(regional)) {
          assert.deepEqual(there[member as keyof UserPoolType], value, member)
          assert.notDeepEqual(here[member as keyof UserPoolType], value, member)
        }
      })

      it('accepts the key under the ARN of either region', async () => {
        const { KeyConfiguration } = await describePool(pool)
        await east.send(new UpdateUserPoolCommand({ ...settingsOf(await describePool(pool, east)), KeyConfiguration }))
      })

      it('refuses a changed global setting in the secondary region, and names it', async () => {
        const present = settingsOf(await describePool(pool, east))
        const changes: [string, Partial<UpdateUserPoolCommandInput>][] = [
          ['PoolName', { PoolName: 'other' }],
          ['Policies', { Policies: { PasswordPolicy: { MinimumLength: 20 } } }],
          ['DeletionProtection', { DeletionProtection: 'ACTIVE' }],
          ['AutoVerifiedAttributes', { AutoVerifiedAttributes: ['email'] }],
          ['VerificationMessageTemplate', { VerificationMessageTemplate: { DefaultEmailOption: 'CONFIRM_WITH_LINK' } }],
          ['SmsAuthenticationMessage', { SmsAuthenticationMessage: 'other {####}' }],
          ['MfaConfiguration', { MfaConfiguration: 'ON' }],
          ['DeviceConfiguration', { DeviceConfiguration: { ChallengeRequiredOnNewDevice: true } }],
          ['AdminCreateUserConfig', { AdminCreateUserConfig: { AllowAdminCreateUserOnly: true } }],
          ['UserPoolAddOns', { UserPoolAddOns: undefined }],
          ['DcrConfiguration', { DcrConfiguration: {} }],
          [
            'AccountRecoverySetting',
            { AccountRecoverySetting: { RecoveryMechanisms: [{ Priority: 1, Name: 'admin_only' }] } },
          ],
          ['UserPoolTier', { UserPoolTier: 'ESSENTIALS' }],
          ['KeyConfiguration', { KeyConfiguration: { KeyType: 'AWS_OWNED_KEY' } }],
          ['IssuerConfiguration', { IssuerConfiguration: { Type: 'ORIGINAL' } }],
          ['AcrConfiguration', { AcrConfiguration: { Level1: { AcrValue: 'urn:one' } } }],
        ]
        for (const [member, change] of changes) {
          await assert.rejects(
            east.send(new UpdateUserPoolCommand({ ...present, ...change })),
            { name: P, message: new RegExp(`\\b${member}\\b.* must have the current value`) },
            member,
          )
        }
      })

      it('lets SetUserPoolMfaConfig change only how messages are sent in the secondary region', async () => {
        const set = (input: object) => east.send(new SetUserPoolMfaConfigCommand({ UserPoolId: pool, ...input }))
        const other = { SnsCallerArn: 'arn:aws:iam::000000000000:role/other', SnsRegion: EAST }
        const answer = await set({ MfaConfiguration: 'OPTIONAL', SmsMfaConfiguration: { SmsConfiguration: other } })
        assert.deepEqual(answer.SmsMfaConfiguration?.SmsConfiguration, other)
        const here = await west.send(new GetUserPoolMfaConfigCommand({ UserPoolId: pool }))
        assert.deepEqual(here.SmsMfaConfiguration?.SmsConfiguration, SmsConfiguration)
        const SmsMfaConfiguration = { SmsConfiguration: other }
        for (const [member, input] of [
          ['MfaConfiguration', { MfaConfiguration: 'ON', SmsMfaConfiguration }],
          [
            'SoftwareTokenMfaConfiguration',
            { MfaConfiguration: 'OPTIONAL', SmsMfaConfiguration, SoftwareTokenMfaConfiguration: { Enabled: true } },
          ],
          ['SmsMfaConfiguration', { MfaConfiguration: 'OPTIONAL' }],
          [
            'SmsAuthenticationMessage',
            {
              MfaConfiguration: 'OPTIONAL',
              SmsMfaConfiguration: { ...SmsMfaConfiguration, SmsAuthenticationMessage: '{####} it is' },
            },
          ],
          ['WebAuthnConfiguration', { WebAuthnConfiguration: { UserVerification: 'required' } }],
        ] as const) {
          await assert.rejects(set(input), { name: P, message: new RegExp(member) }, member)
        }
      })

      it('replicates changes of global settings to the secondary region', async () => {
        await west.send(new UpdateUserPoolCommand({ ...settingsOf(await describePool(pool)), PoolName: 'renamed' }))
        await until(async () => (await describePool(pool, east)).Name === 'renamed')
        assert.deepEqual((await describePool(pool, east)).UserPoolTags, { side: 'far east' })
      })

      it('cannot change its key or tier while it has a replica', async () => {
        const present = settingsOf(await describePool(pool))
        const update = (change: Partial<UpdateUserPoolCommandInput>) =>
          west.send(new UpdateUserPoolCommand({ ...present, ...change }))
        await assert.rejects(update({ KeyConfiguration: { KeyType: 'AWS_OWNED_KEY' } }), {
          name: P,
          message: /KeyConfiguration/,
        })
        await assert.rejects(update({ UserPoolTier: 'LITE', UserPoolAddOns: undefined }), {
          name: 'TierChangeNotAllowedException',
        })
      })

      it('cannot be deleted before the replica', async () => {
        const own = await createReplicatedPool(plane)
        await assert.rejects(west.send(new DeleteUserPoolCommand({ UserPoolId: own })), { name: P, message: /replica/ })
        await assert.rejects(east.send(new DeleteUserPoolCommand({ UserPoolId: own })), { name: NOT_ENABLED })
        await removeReplica(plane, own)
        await west.send(new DeleteUserPoolCommand({ UserPoolId: own }))
      })
    })
  })
}

describe('replicas in `extended` parity', () => {
  let plane: Plane
  before(async () => {
    plane = await startRegions({ regions: [WEST, EAST, 'ap-northeast-3'], config: { parity: 'extended' } })
  })
  after(() => plane.stop())

  it('can exist in every region, whatever its name', async () => {
    const { cognito } = plane.primary
    const pool = await createReplicablePool(plane)
    const others = [EAST, 'ap-northeast-3']
    const create = (RegionName: string) =>
      cognito.send(new CreateUserPoolReplicaCommand({ UserPoolId: pool, RegionName }))
    for (const name of others) await create(name)
    for (const name of others) await replicaIs({ region: plane.primary, pool, name, status: 'INACTIVE' })
    await assert.rejects(create(EAST), { name: P, message: /already has a replica in us-east-1/ })
    await assert.rejects(create('eu-west-1'), { name: P })
  })
})
