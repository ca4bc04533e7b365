import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import {
  AddCustomAttributesCommand,
  type CognitoIdentityProviderClient,
  CreateUserPoolCommand,
  type CreateUserPoolCommandInput,
  CreateUserPoolDomainCommand,
  DeleteUserPoolCommand,
  DeleteUserPoolDomainCommand,
  DescribeUserPoolClientCommand,
  DescribeUserPoolCommand,
  ListUserPoolsCommand,
  type SchemaAttributeType,
  UpdateUserPoolCommand,
  type UserPoolType,
} from '@aws-sdk/client-cognito-identity-provider'
import { CreateAliasCommand, DisableKeyCommand } from '@aws-sdk/client-kms'
import { createClient, createPool, createUser } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'
import { createKey } from '@twinpool/testing/replicas'
import { sweepDeletedPools } from '../../../identity/pools/deletion.ts'
import { addRows } from '../../../store/apply.ts'
import { kindNames } from '../../../store/kinds.ts'

const ROLE = 'arn:aws:iam::000000000000:role/sms'
const LAMBDA = 'arn:aws:lambda:us-west-2:000000000000:function:hook'
const KEY = 'arn:aws:kms:us-west-2:000000000000:key/11111111-2222-3333-4444-555555555555'
const SMS = { SnsCallerArn: ROLE, ExternalId: 'outside', SnsRegion: 'us-west-2' }

/** Every member that CreateUserPool takes, each with a value that is not its default. */
const EVERYTHING = {
  PoolName: 'everything',
  Policies: {
    PasswordPolicy: {
      MinimumLength: 12,
      RequireUppercase: true,
      RequireLowercase: false,
      RequireNumbers: true,
      RequireSymbols: false,
      PasswordHistorySize: 5,
      TemporaryPasswordValidityDays: 3,
    },
    SignInPolicy: { AllowedFirstAuthFactors: ['PASSWORD', 'EMAIL_OTP', 'WEB_AUTHN'] },
  },
  DeletionProtection: 'ACTIVE',
  LambdaConfig: {
    PreSignUp: LAMBDA,
    CustomMessage: LAMBDA,
    PostConfirmation: LAMBDA,
    PreAuthentication: LAMBDA,
    PostAuthentication: LAMBDA,
    DefineAuthChallenge: LAMBDA,
    CreateAuthChallenge: LAMBDA,
    VerifyAuthChallengeResponse: LAMBDA,
    UserMigration: LAMBDA,
    PreTokenGeneration: LAMBDA,
    PreTokenGenerationConfig: { LambdaVersion: 'V2_0', LambdaArn: LAMBDA },
    CustomSMSSender: { LambdaVersion: 'V1_0', LambdaArn: LAMBDA },
    CustomEmailSender: { LambdaVersion: 'V1_0', LambdaArn: LAMBDA },
    KMSKeyID: KEY,
  },
  AutoVerifiedAttributes: ['email', 'phone_number'],
  AliasAttributes: ['email', 'preferred_username'],
  SmsVerificationMessage: 'Your code: {####}',
  EmailVerificationMessage: 'The code is {####}',
  EmailVerificationSubject: 'A code',
  VerificationMessageTemplate: {
    SmsMessage: 'Your code: {####}',
    EmailMessage: 'The code is {####}',
    EmailSubject: 'A code',
    EmailSubjectByLink: 'A link',
    DefaultEmailOption: 'CONFIRM_WITH_CODE',
  },
  SmsAuthenticationMessage: 'To sign in: {####}',
  MfaConfiguration: 'OPTIONAL',
  UserAttributeUpdateSettings: { AttributesRequireVerificationBeforeUpdate: ['email'] },
  DeviceConfiguration: { ChallengeRequiredOnNewDevice: true, DeviceOnlyRememberedOnUserPrompt: true },
  EmailConfiguration: {
    EmailSendingAccount: 'DEVELOPER',
    SourceArn: 'arn:aws:ses:us-west-2:000000000000:identity/us@example.com',
    From: 'us@example.com',
    ReplyToEmailAddress: 'reply@example.com',
    ConfigurationSet: 'set',
  },
  SmsConfiguration: SMS,
  UserPoolTags: { team: 'identity', empty: '' },
  AdminCreateUserConfig: {
    AllowAdminCreateUserOnly: true,
    UnusedAccountValidityDays: 3,
    InviteMessageTemplate: {
      SMSMessage: '{username} {####}',
      EmailMessage: '{username} {####}',
      EmailSubject: 'Come in',
    },
  },
  UserPoolAddOns: { AdvancedSecurityMode: 'AUDIT', AdvancedSecurityAdditionalFlows: { CustomAuthMode: 'ENFORCED' } },
  DcrConfiguration: {
    EnableStatus: 'Enabled',
    OpenDcrEnabled: true,
    AuthenticatedGrantTypes: ['code'],
    OpenDcrGrantTypes: [],
    AllowedScopes: ['aws.cognito.signin.user.admin'],
  },
  UsernameConfiguration: { CaseSensitive: false },
  AccountRecoverySetting: {
    RecoveryMechanisms: [
      { Priority: 1, Name: 'verified_phone_number' },
      { Priority: 2, Name: 'verified_email' },
    ],
  },
  UserPoolTier: 'PLUS',
  IssuerConfiguration: { Type: 'UPDATED' },
  AcrConfiguration: {
    Level1: { AcrValue: 'urn:one' },
    Level2: { AcrValue: 'urn:two' },
    Level3: { AcrValue: 'urn:three' },
    Level4: { AcrValue: 'urn:four' },
  },
} satisfies CreateUserPoolCommandInput

type Refusals = [what: string, change: Partial<CreateUserPoolCommandInput>, name: string, message?: RegExp][]
const P = 'InvalidParameterException'
const TIER = 'FeatureUnavailableInTierException'
const attributes = (...Schema: SchemaAttributeType[]) => ({ Schema })

const REFUSED: Refusals = [
  [
    'both kinds of alias',
    { AliasAttributes: ['email'], UsernameAttributes: ['email'] },
    P,
    /Only one of the aliasAttributes or usernameAttributes/,
  ],
  ['MFA without a way to send', { MfaConfiguration: 'ON' }, P, /SMS configuration/],
  ['optional MFA without a way to send', { MfaConfiguration: 'OPTIONAL' }, P, /SMS configuration/],
  ['SMS without a role', { SmsConfiguration: { ExternalId: 'x' } }, P],
  [
    'SMS with something that is no role',
    { SmsConfiguration: { SnsCallerArn: 'arn:aws:iam::000000000000:user/me' } },
    P,
  ],
  ['SMS by two ways', { SmsConfiguration: { SnsCallerArn: ROLE, EumsSms: { CallerArn: ROLE } } }, P],
  ['SMS from another region', { SmsConfiguration: { EumsSms: { CallerArn: ROLE, Region: 'eu-west-1' } } }, P],
  [
    'a custom e-mail sender without an identity',
    { EmailConfiguration: { EmailSendingAccount: 'DEVELOPER' } },
    P,
    /SourceArn/,
  ],
  [
    'two different pre-token triggers',
    {
      LambdaConfig: {
        PreTokenGeneration: LAMBDA,
        PreTokenGenerationConfig: { LambdaVersion: 'V1_0', LambdaArn: `${LAMBDA}2` },
      },
    },
    P,
  ],
  [
    'a custom sender without a key',
    { LambdaConfig: { CustomEmailSender: { LambdaVersion: 'V1_0', LambdaArn: LAMBDA } } },
    P,
    /KMSKeyID/,
  ],
  [
    'verification before update of an attribute that is not verified',
    { UserAttributeUpdateSettings: { AttributesRequireVerificationBeforeUpdate: ['email'] } },
    P,
  ],
  [
    'codes by SMS as a first factor without a way to send',
    { Policies: { SignInPolicy: { AllowedFirstAuthFactors: ['PASSWORD', 'SMS_OTP'] } } },
    P,
    /SmsConfiguration is required/,
  ],
  [
    'required MFA beside codes as a first factor',
    {
      MfaConfiguration: 'ON',
      SmsConfiguration: SMS,
      Policies: { SignInPolicy: { AllowedFirstAuthFactors: ['PASSWORD', 'EMAIL_OTP'] } },
    },
    P,
    /EMAIL_OTP cannot be in AllowedFirstAuthFactors/,
  ],
  [
    'two recovery options with the same priority',
    {
      AccountRecoverySetting: {
        RecoveryMechanisms: [
          { Priority: 1, Name: 'verified_email' },
          { Priority: 1, Name: 'verified_phone_number' },
        ],
      },
    },
    P,
  ],
  [
    'recovery by an administrator only, together with another option',
    {
      AccountRecoverySetting: {
        RecoveryMechanisms: [
          { Priority: 1, Name: 'verified_email' },
          { Priority: 2, Name: 'admin_only' },
        ],
      },
    },
    P,
  ],
  ['first factors without a password', { Policies: { SignInPolicy: { AllowedFirstAuthFactors: ['EMAIL_OTP'] } } }, P],
  [
    'TOTP as a first factor',
    { Policies: { SignInPolicy: { AllowedFirstAuthFactors: ['PASSWORD', 'SOFTWARE_TOKEN'] } } },
    P,
  ],
  [
    'two lifetimes of a temporary password',
    {
      Policies: { PasswordPolicy: { TemporaryPasswordValidityDays: 2 } },
      AdminCreateUserConfig: { UnusedAccountValidityDays: 3 },
    },
    P,
    /Please use TemporaryPasswordValidityDays/,
  ],
  ['ACR levels of one name', { AcrConfiguration: { Level1: { AcrValue: 'urn:cognito:loa:2' } } }, P],
  [
    'an alias of a key',
    {
      KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: 'arn:aws:kms:us-west-2:000000000000:alias/mine' },
    },
    P,
    /alias/,
  ],
  [
    'a key of another region',
    { KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: KEY.replace('us-west-2', 'eu-west-1') } },
    P,
    /same Region/,
  ],
  [
    'a key that does not exist',
    { KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: KEY } },
    P,
    /does not exist/,
  ],
  ['a customer managed key without its ARN', { KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY' } }, P],
  ['a key together with the AWS owned one', { KeyConfiguration: { KeyType: 'AWS_OWNED_KEY', KmsKeyArn: KEY } }, P],
  [
    'a policy below the minimum',
    { Policies: { PasswordPolicy: { MinimumLength: 5 } } },
    P,
    /1 validation error detected/,
  ],
  ['a name with a character that is not allowed', { PoolName: 'a/b' }, P, /poolName/],
  [
    '51 tags',
    { UserPoolTags: Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`key${n}`, ''])) },
    'UserPoolTaggingException',
  ],
  ['a tag with the `aws:` prefix', { UserPoolTags: { 'aws:mine': '' } }, 'UserPoolTaggingException'],
  ['a tag with a control character', { UserPoolTags: { key: 'a\u0007' } }, 'UserPoolTaggingException'],
  [
    'an attribute without a type',
    attributes({ Name: 'x' }),
    P,
    /^Invalid AttributeDataType input, consider using the provided AttributeDataType enum\.$/,
  ],
  [
    'a required custom attribute',
    attributes({ Name: 'x', AttributeDataType: 'String', Required: true }),
    P,
    /^Required custom attributes are not supported currently\.$/,
  ],
  [
    'another type for a standard attribute',
    attributes({ Name: 'email', AttributeDataType: 'Number' }),
    P,
    /You can not change AttributeDataType/,
  ],
  [
    'one attribute twice',
    attributes({ Name: 'x', AttributeDataType: 'String' }, { Name: 'x', AttributeDataType: 'Number' }),
    P,
    /already has name custom:x/,
  ],
  ['a standard attribute twice', attributes({ Name: 'email', Required: true }, { Name: 'email' }), P],
  ['an attribute with a prefix', attributes({ Name: 'custom:x', AttributeDataType: 'String' }), P],
  [
    'a minimum length above the maximum length',
    attributes({
      Name: 'x',
      AttributeDataType: 'String',
      StringAttributeConstraints: { MinLength: '9', MaxLength: '3' },
    }),
    P,
  ],
  [
    'a length that is not a number',
    attributes({ Name: 'x', AttributeDataType: 'String', StringAttributeConstraints: { MinLength: 'nine' } }),
    P,
  ],
  [
    'a length longer than any value',
    attributes({ Name: 'x', AttributeDataType: 'String', StringAttributeConstraints: { MaxLength: '2049' } }),
    P,
  ],
  ['threat protection below Plus', { UserPoolAddOns: { AdvancedSecurityMode: 'AUDIT' } }, TIER],
  [
    'other first factors on Lite',
    { UserPoolTier: 'LITE', Policies: { SignInPolicy: { AllowedFirstAuthFactors: ['PASSWORD', 'EMAIL_OTP'] } } },
    TIER,
  ],
  [
    'password history on Lite',
    { UserPoolTier: 'LITE', Policies: { PasswordPolicy: { PasswordHistorySize: 1 } } },
    TIER,
  ],
  ['registration of clients on Lite', { UserPoolTier: 'LITE', DcrConfiguration: {} }, TIER],
  [
    'names of ACR levels on Lite',
    { UserPoolTier: 'LITE', AcrConfiguration: { Level1: { AcrValue: 'urn:one' } } },
    TIER,
  ],
  [
    'access token customization on Lite',
    { UserPoolTier: 'LITE', LambdaConfig: { PreTokenGenerationConfig: { LambdaVersion: 'V2_0', LambdaArn: LAMBDA } } },
    TIER,
  ],
]

for (const engine of engines) {
  describe(`user pools on ${engine}`, () => {
    let plane: Plane
    let cognito: CognitoIdentityProviderClient
    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
      cognito = plane.primary.cognito
    })
    after(() => plane.stop())

    const describePool = async (UserPoolId: string): Promise<UserPoolType> =>
      (await cognito.send(new DescribeUserPoolCommand({ UserPoolId }))).UserPool as UserPoolType

    /** Adds many user rows without a document to a pool. */
    async function fill(pool: string, count: number): Promise<void> {
      const rows = Array.from({ length: count }, () => {
        return { pool, key: randomUUID(), body: '', fields: {}, stamp: { epoch: 1, seq: 1 } }
      })
      await plane.primary.region.context.store.transaction((connection) => addRows(connection, 'user', rows))
    }

    describe('CreateUserPool and DescribeUserPool', () => {
      it('fills in defaults', async () => {
        const { UserPool } = await cognito.send(new CreateUserPoolCommand({ PoolName: 'plain' }))
        assert.match(UserPool?.Id ?? '', /^us-west-2_[0-9A-Za-z]{9}$/)
        const { Id, Arn, CreationDate, LastModifiedDate, SchemaAttributes, ...rest } = await describePool(
          UserPool?.Id ?? '',
        )
        assert.deepEqual({ ...UserPool }, { Id, Arn, CreationDate, LastModifiedDate, SchemaAttributes, ...rest })
        assert.equal(Arn, `arn:aws:cognito-idp:us-west-2:000000000000:userpool/${Id}`)
        assert.deepEqual(CreationDate, LastModifiedDate)
        assert.ok(Math.abs(Date.now() - Number(CreationDate)) < 60_000)
        assert.deepEqual(rest, {
          Name: 'plain',
          Policies: {
            PasswordPolicy: {
              MinimumLength: 8,
              RequireUppercase: true,
              RequireLowercase: true,
              RequireNumbers: true,
              RequireSymbols: true,
              TemporaryPasswordValidityDays: 7,
            },
            SignInPolicy: { AllowedFirstAuthFactors: ['PASSWORD'] },
          },
          DeletionProtection: 'INACTIVE',
          LambdaConfig: {},
          VerificationMessageTemplate: { DefaultEmailOption: 'CONFIRM_WITH_CODE' },
          UserAttributeUpdateSettings: { AttributesRequireVerificationBeforeUpdate: [] },
          MfaConfiguration: 'OFF',
          EstimatedNumberOfUsers: 0,
          EmailConfiguration: { EmailSendingAccount: 'COGNITO_DEFAULT' },
          UserPoolTags: {},
          AdminCreateUserConfig: { AllowAdminCreateUserOnly: false, UnusedAccountValidityDays: 7 },
          AccountRecoverySetting: {
            RecoveryMechanisms: [
              { Priority: 1, Name: 'verified_email' },
              { Priority: 2, Name: 'verified_phone_number' },
            ],
          },
          UserPoolTier: 'ESSENTIALS',
          KeyConfiguration: { KeyType: 'AWS_OWNED_KEY' },
          IssuerConfiguration: { Type: 'ORIGINAL' },
          AcrConfiguration: {
            Level1: { AcrValue: 'urn:cognito:loa:1' },
            Level2: { AcrValue: 'urn:cognito:loa:2' },
            Level3: { AcrValue: 'urn:cognito:loa:3' },
            Level4: { AcrValue: 'urn:cognito:loa:4' },
          },
        })
      })

      it('returns every member that it accepts', async () => {
        const { UserPool } = await cognito.send(new CreateUserPoolCommand(EVERYTHING))
        const { PoolName, ...given } = EVERYTHING
        const { Id, Arn, CreationDate, LastModifiedDate, SchemaAttributes, EstimatedNumberOfUsers, Name, ...shown } =
          await describePool(UserPool?.Id ?? '')
        assert.equal(Name, PoolName)
        assert.deepEqual(shown, { ...given, KeyConfiguration: { KeyType: 'AWS_OWNED_KEY' } })
      })

      it('has the standard attributes, as the pool configures them, and custom ones', async () => {
        const pool = await createPool(plane.primary, {
          Schema: [
            { Name: 'email', AttributeDataType: 'String', Required: true, Mutable: false },
            { Name: 'name', StringAttributeConstraints: { MinLength: '2', MaxLength: '40' } },
            {
              Name: 'age',
              AttributeDataType: 'Number',
              NumberAttributeConstraints: { MinValue: '0', MaxValue: '150' },
            },
            { Name: 'note', AttributeDataType: 'String', DeveloperOnlyAttribute: true, Mutable: false },
            { Name: 'seen', AttributeDataType: 'DateTime' },
            { Name: 'email_verified', AttributeDataType: 'String', NumberAttributeConstraints: { MinValue: '1' } },
          ],
        })
        const schema = new Map((await describePool(pool)).SchemaAttributes?.map((entry) => [entry.Name, entry]))
        assert.deepEqual(
          [...schema.keys()],
          [...STANDARD, 'custom:age', 'dev:custom:note', 'custom:seen', 'custom:email_verified'],
        )
        assert.deepEqual(schema.get('sub'), {
          Name: 'sub',
          AttributeDataType: 'String',
          DeveloperOnlyAttribute: false,
          Mutable: false,
          Required: true,
          StringAttributeConstraints: { MinLength: '1', MaxLength: '2048' },
        })
        assert.equal(schema.get('email')?.Required, true)
        assert.equal(schema.get('email')?.Mutable, false)
        assert.deepEqual(schema.get('name')?.StringAttributeConstraints, { MinLength: '2', MaxLength: '40' })
        assert.deepEqual(schema.get('birthdate')?.StringAttributeConstraints, { MinLength: '10', MaxLength: '10' })
        assert.equal(schema.get('updated_at')?.AttributeDataType, 'Number')
        assert.equal(schema.get('phone_number_verified')?.AttributeDataType, 'Boolean')
        assert.deepEqual(schema.get('custom:age'), {
          Name: 'custom:age',
          AttributeDataType: 'Number',
          DeveloperOnlyAttribute: false,
          Mutable: true,
          Required: false,
          NumberAttributeConstraints: { MinValue: '0', MaxValue: '150' },
        })
        assert.equal(schema.get('dev:custom:note')?.DeveloperOnlyAttribute, true)
        assert.equal(schema.get('custom:seen')?.AttributeDataType, 'DateTime')
        // An entry with the name of a flag is a custom attribute; constraints of another type are dropped.
        assert.equal(schema.get('email_verified')?.AttributeDataType, 'Boolean')
        assert.deepEqual(schema.get('custom:email_verified'), {
          Name: 'custom:email_verified',
          AttributeDataType: 'String',
          DeveloperOnlyAttribute: false,
          Mutable: true,
          Required: false,
          StringAttributeConstraints: {},
        })
      })

      it('requires of a password only the rules of a given policy', async () => {
        const pool = await createPool(plane.primary, { Policies: { PasswordPolicy: { RequireNumbers: true } } })
        assert.deepEqual((await describePool(pool)).Policies?.PasswordPolicy, {
          MinimumLength: 8,
          RequireUppercase: false,
          RequireLowercase: false,
          RequireNumbers: true,
          RequireSymbols: false,
          TemporaryPasswordValidityDays: 7,
        })
      })

      it('maps the legacy members of messages and lifetimes to the new ones, and back', async () => {
        const old = await describePool(
          await createPool(plane.primary, {
            EmailVerificationMessage: 'Here: {####}',
            AdminCreateUserConfig: { UnusedAccountValidityDays: 2 },
            LambdaConfig: { PreTokenGeneration: LAMBDA },
          }),
        )
        assert.equal(old.VerificationMessageTemplate?.EmailMessage, 'Here: {####}')
        assert.equal(old.Policies?.PasswordPolicy?.TemporaryPasswordValidityDays, 2)
        assert.deepEqual(old.LambdaConfig?.PreTokenGenerationConfig, { LambdaVersion: 'V1_0', LambdaArn: LAMBDA })
        const recent = await describePool(
          await createPool(plane.primary, { VerificationMessageTemplate: { EmailSubject: 'A code' } }),
        )
        assert.equal(recent.EmailVerificationSubject, 'A code')
      })

      it('keeps legacy messages and different ones in the template, for codes and for links', async () => {
        const given = {
          EmailVerificationMessage: 'old {####}',
          SmsVerificationMessage: 'old sms {####}',
          VerificationMessageTemplate: {
            DefaultEmailOption: 'CONFIRM_WITH_LINK',
            EmailMessage: 'new {####}',
            EmailMessageByLink: '{##new##}',
            SmsMessage: 'new sms {####}',
          },
        } as const
        const shown = await describePool(await createPool(plane.primary, given))
        for (const [member, value] of Object.entries(given)) {
          assert.deepEqual(shown[member as keyof UserPoolType], value, member)
        }
      })

      it('treats 0 days for a temporary password as the default', async () => {
        const pool = await createPool(plane.primary, {
          Policies: { PasswordPolicy: { TemporaryPasswordValidityDays: 0 } },
        })
        assert.equal((await describePool(pool)).Policies?.PasswordPolicy?.TemporaryPasswordValidityDays, 7)
      })

      for (const [what, change, name, message] of REFUSED) {
        it(`refuses ${what}`, async () => {
          await assert.rejects(cognito.send(new CreateUserPoolCommand({ PoolName: 'refused', ...change })), {
            name,
            ...(message && { message }),
          })
        })
      }

      it('refuses a key that is disabled', async () => {
        const KmsKeyArn = await createKey(plane, { multiRegion: false })
        await plane.primary.kms.send(new DisableKeyCommand({ KeyId: KmsKeyArn }))
        const KeyConfiguration = { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn } as const
        await assert.rejects(createPool(plane.primary, { KeyConfiguration }), { name: P, message: /not enabled/ })
      })

      it('refuses an alias even if it names an existing key', async () => {
        const KmsKeyArn = await createKey(plane, { multiRegion: false })
        await plane.primary.kms.send(new CreateAliasCommand({ AliasName: 'alias/pools', TargetKeyId: KmsKeyArn }))
        const alias = KmsKeyArn.replace(/key\/.*/, 'alias/pools')
        const KeyConfiguration = { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: alias } as const
        await assert.rejects(createPool(plane.primary, { KeyConfiguration }), { name: P })
      })

      it('shows the customer managed key, and stops when that key is disabled', async () => {
        const KmsKeyArn = await createKey(plane, { multiRegion: false })
        const KeyConfiguration = { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn } as const
        const pool = await createPool(plane.primary, { KeyConfiguration })
        assert.deepEqual((await describePool(pool)).KeyConfiguration, KeyConfiguration)
        await plane.primary.kms.send(new DisableKeyCommand({ KeyId: KmsKeyArn }))
        await assert.rejects(describePool(pool), { name: 'InternalErrorException' })
      })

      it('counts the users', async () => {
        const pool = await createPool(plane.primary)
        for (const username of ['ada', 'bob']) await createUser(plane.primary, pool, { username })
        assert.equal((await describePool(pool)).EstimatedNumberOfUsers, 2)
      })

      it('estimates a large number of users within a few percent', async () => {
        const pool = await createPool(plane.primary)
        await fill(pool, 12_000)
        const { EstimatedNumberOfUsers: users = 0 } = await describePool(pool)
        assert.ok(users > 11_400 && users < 12_600, `${users}`)
      })

      it('reports that a pool does not exist', async () => {
        await assert.rejects(describePool('us-west-2_nobodyhas'), {
          name: 'ResourceNotFoundException',
          message: 'User pool us-west-2_nobodyhas does not exist.',
        })
      })
    })

    describe('UpdateUserPool', () => {
      it('returns the omitted members of the first SDK to their defaults, and keeps policies, MFA and newer members', async () => {
        const { UserPool } = await cognito.send(new CreateUserPoolCommand(EVERYTHING))
        const UserPoolId = UserPool?.Id as string
        const { SmsConfiguration } = EVERYTHING
        await cognito.send(new UpdateUserPoolCommand({ UserPoolId, SmsConfiguration }))
        const shown = await describePool(UserPoolId)
        const plain = await describePool(await createPool(plane.primary))
        const { Id, Arn, CreationDate, LastModifiedDate, Name, ...expected } = plain
        const { Policies, MfaConfiguration, DeletionProtection, DcrConfiguration, UserPoolTier } = EVERYTHING
        const { IssuerConfiguration, AcrConfiguration, AliasAttributes, UsernameConfiguration } = EVERYTHING
        assert.deepEqual(shown, {
          ...expected,
          Id: UserPoolId,
          Arn: UserPool?.Arn,
          CreationDate: UserPool?.CreationDate,
          LastModifiedDate: shown.LastModifiedDate,
          Name: 'everything',
          // Fixed when the pool was created.
          AliasAttributes,
          UsernameConfiguration,
          // Kept.
          Policies,
          MfaConfiguration,
          SmsConfiguration,
          DeletionProtection,
          DcrConfiguration,
          UserPoolTier,
          IssuerConfiguration,
          AcrConfiguration,
          AdminCreateUserConfig: { AllowAdminCreateUserOnly: false, UnusedAccountValidityDays: 3 },
        })
        assert.ok(Number(shown.LastModifiedDate) > Number(shown.CreationDate))
      })

      it('accepts every member of CreateUserPool except the fixed ones', async () => {
        const UserPoolId = await createPool(plane.primary, { AliasAttributes: ['phone_number'] })
        const { AliasAttributes, UsernameConfiguration, ...settings } = EVERYTHING
        await cognito.send(new UpdateUserPoolCommand({ UserPoolId, ...settings }))
        const shown = await describePool(UserPoolId)
        const { PoolName, ...given } = settings
        for (const [member, value] of Object.entries(given)) {
          assert.deepEqual(shown[member as keyof UserPoolType], value, member)
        }
        assert.equal(shown.Name, PoolName)
        assert.deepEqual(shown.AliasAttributes, ['phone_number'])
      })

      it('refuses the same input as CreateUserPool', async () => {
        const UserPoolId = await createPool(plane.primary)
        for (const [what, { Schema, AliasAttributes, ...change }, name] of REFUSED) {
          if (Schema || AliasAttributes) continue
          await assert.rejects(cognito.send(new UpdateUserPoolCommand({ UserPoolId, ...change })), { name }, what)
        }
      })

      it('moves a pool to another key and back without losing data', async () => {
        const UserPoolId = await createPool(plane.primary)
        const client = await createClient(plane.primary, UserPoolId, { GenerateSecret: true })
        const KmsKeyArn = await createKey(plane, { multiRegion: false })
        const KeyConfiguration = { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn } as const
        await cognito.send(new UpdateUserPoolCommand({ UserPoolId, KeyConfiguration }))
        assert.deepEqual((await describePool(UserPoolId)).KeyConfiguration, KeyConfiguration)
        await cognito.send(new UpdateUserPoolCommand({ UserPoolId }))
        assert.deepEqual((await describePool(UserPoolId)).KeyConfiguration, KeyConfiguration)
        const owned = { KeyType: 'AWS_OWNED_KEY' } as const
        await cognito.send(new UpdateUserPoolCommand({ UserPoolId, KeyConfiguration: owned }))
        assert.deepEqual((await describePool(UserPoolId)).KeyConfiguration, owned)
        await plane.primary.kms.send(new DisableKeyCommand({ KeyId: KmsKeyArn }))
        const shown = await cognito.send(new DescribeUserPoolClientCommand({ UserPoolId, ClientId: client.id }))
        assert.equal(shown.UserPoolClient?.ClientSecret, client.secret)
      })

      it('refuses the change to Lite while a setting needs a higher tier', async () => {
        const UserPoolId = await createPool(plane.primary, { DcrConfiguration: {} })
        const toLite = (change: object) =>
          cognito.send(new UpdateUserPoolCommand({ UserPoolId, UserPoolTier: 'LITE', ...change }))
        await assert.rejects(toLite({}), { name: 'TierChangeNotAllowedException' })
        await toLite({ DcrConfiguration: { EnableStatus: 'Disabled' } })
        assert.equal((await describePool(UserPoolId)).UserPoolTier, 'LITE')
      })
    })

    describe('AddCustomAttributes', () => {
      const add = (UserPoolId: string, ...CustomAttributes: SchemaAttributeType[]) =>
        cognito.send(new AddCustomAttributesCommand({ UserPoolId, CustomAttributes }))

      it('adds attributes permanently', async () => {
        const pool = await createPool(plane.primary)
        await add(pool, { Name: 'one', AttributeDataType: 'String' }, { Name: 'two', AttributeDataType: 'Boolean' })
        await cognito.send(new UpdateUserPoolCommand({ UserPoolId: pool }))
        const names = (await describePool(pool)).SchemaAttributes?.map(({ Name }) => Name)
        assert.deepEqual(names, [...STANDARD, 'custom:one', 'custom:two'])
      })

      it('refuses an existing name, and changes nothing', async () => {
        const pool = await createPool(plane.primary, { Schema: [{ Name: 'one', AttributeDataType: 'String' }] })
        await assert.rejects(
          add(pool, { Name: 'two', AttributeDataType: 'String' }, { Name: 'one', AttributeDataType: 'String' }),
          { name: P, message: 'custom:one: Existing attribute already has name custom:one.' },
        )
        assert.equal((await describePool(pool)).SchemaAttributes?.length, STANDARD.length + 1)
      })

      it('stops at 50', async () => {
        const pool = await createPool(plane.primary)
        const some = (from: number) =>
          Array.from({ length: 25 }, (_, n) => ({ Name: `a${from + n}`, AttributeDataType: 'String' }) as const)
        await add(pool, ...some(0))
        await add(pool, ...some(25))
        await assert.rejects(add(pool, { Name: 'last', AttributeDataType: 'String' }), { name: P })
      })
    })

    describe('DeleteUserPool', () => {
      const remove = (UserPoolId: string) => cognito.send(new DeleteUserPoolCommand({ UserPoolId }))

      it('removes the pool and every row of it', async () => {
        const pool = await createPool(plane.primary)
        const client = await createClient(plane.primary, pool, { GenerateSecret: true })
        for (const username of ['ada', 'bob']) await createUser(plane.primary, pool, { username })
        await remove(pool)
        await assert.rejects(describePool(pool), { name: 'ResourceNotFoundException' })
        await assert.rejects(remove(pool), { name: 'ResourceNotFoundException' })
        await assert.rejects(
          cognito.send(new DescribeUserPoolClientCommand({ UserPoolId: pool, ClientId: client.id })),
          { name: 'ResourceNotFoundException' },
        )
        await sweepDeletedPools(plane.primary.region.context)
        await assertNothingLeft(pool)
      })

      it('continues after an interruption, also with a pool of many users', async () => {
        const { context } = plane.primary.region
        const pool = await createPool(plane.primary)
        await fill(pool, 11_000)
        await remove(pool)
        assert.ok((await context.store.count('user', { pool })) > 0, 'the call itself is bounded')
        await assert.rejects(describePool(pool), { name: 'ResourceNotFoundException' })
        await sweepDeletedPools(context)
        await sweepDeletedPools(context)
        await assertNothingLeft(pool)
      })

      it('refuses while the pool is protected or has a domain', async () => {
        const UserPoolId = await createPool(plane.primary, { DeletionProtection: 'ACTIVE' })
        await assert.rejects(remove(UserPoolId), { name: P, message: /deletion protection is activated/ })
        await cognito.send(new UpdateUserPoolCommand({ UserPoolId, DeletionProtection: 'INACTIVE' }))
        await cognito.send(new CreateUserPoolDomainCommand({ UserPoolId, Domain: 'to-go' }))
        await assert.rejects(remove(UserPoolId), { name: P, message: /domain/ })
        await cognito.send(new DeleteUserPoolDomainCommand({ UserPoolId, Domain: 'to-go' }))
        await remove(UserPoolId)
      })

      async function assertNothingLeft(pool: string): Promise<void> {
        const { store } = plane.primary.region.context
        for (const kind of kindNames) assert.equal(await store.count(kind, { pool }), 0, kind)
      }
    })

    describe('ListUserPools', () => {
      const list = (MaxResults: number, NextToken?: string) =>
        cognito.send(new ListUserPoolsCommand({ MaxResults, NextToken }))

      it('lists all pools, a page at a time', async () => {
        const made = [await createPool(plane.primary), await createPool(plane.primary)]
        const seen: string[] = []
        let token: string | undefined
        do {
          const page = await list(2, token)
          assert.ok((page.UserPools?.length ?? 0) <= 2)
          for (const { Id = '' } of page.UserPools ?? []) seen.push(Id)
          token = page.NextToken
        } while (token)
        assert.equal(new Set(seen).size, seen.length)
        for (const id of made) assert.ok(seen.includes(id))
      })

      it('lists name, triggers, times and replicas of each', async () => {
        const pool = await createPool(plane.primary, { PoolName: 'listed', LambdaConfig: { PreSignUp: LAMBDA } })
        const page = await list(60)
        const { CreationDate, LastModifiedDate, ...entry } = page.UserPools?.find(({ Id }) => Id === pool) ?? {}
        assert.deepEqual(entry, { Id: pool, Name: 'listed', LambdaConfig: { PreSignUp: LAMBDA }, ReplicaRegions: [] })
        assert.deepEqual(CreationDate, LastModifiedDate)
      })

      it('refuses a token of another list, and a page size of 0', async () => {
        for (const token of ['nonsense', Buffer.from('{"after":7}').toString('base64url')]) {
          await assert.rejects(list(1, token), { name: P, message: 'Invalid pagination token given.' })
        }
        await assert.rejects(list(61), { name: P })
        await assert.rejects(list(0), { name: P })
      })
    })

    it('allows 1,000 pools at most', async () => {
      const { store } = plane.primary.region.context
      const { UserPools = [] } = await cognito.send(new ListUserPoolsCommand({ MaxResults: 60 }))
      const rows = Array.from({ length: 1_000 - UserPools.length }, (_, n) => {
        return { pool: `us-west-2_${n}`, key: '-', body: '{}', fields: {}, stamp: { epoch: 1, seq: 1 } }
      })
      await store.transaction((connection) => addRows(connection, 'pool', rows))
      await assert.rejects(createPool(plane.primary), { name: 'LimitExceededException' })
    })
  })
}

const STANDARD = [
  'sub',
  'name',
  'given_name',
  'family_name',
  'middle_name',
  'nickname',
  'preferred_username',
  'profile',
  'picture',
  'website',
  'email',
  'email_verified',
  'gender',
  'birthdate',
  'zoneinfo',
  'locale',
  'phone_number',
  'phone_number_verified',
  'address',
  'updated_at',
  'identities',
]
