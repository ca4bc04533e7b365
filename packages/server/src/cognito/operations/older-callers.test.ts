/** A caller that describes a resource and sends everything back changes nothing, however old its model of the API is. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type CreateUserPoolCommandInput,
  CreateUserPoolDomainCommand,
  DescribeUserPoolClientCommand,
  DescribeUserPoolCommand,
  DescribeUserPoolDomainCommand,
  GetUserPoolMfaConfigCommand,
  SetUserPoolMfaConfigCommand,
  UpdateUserPoolClientCommand,
  UpdateUserPoolCommand,
  UpdateUserPoolDomainCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { type Known, knownPart, olderModels } from '@twinpool/testing/older-models'
import { createClient, createPool } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'
import { createReplicatedPool } from '@twinpool/testing/replicas'

const LAMBDA = 'arn:aws:lambda:us-west-2:000000000000:function:hook'
const ROLE = 'arn:aws:iam::000000000000:role/sms'

/** Every member that a model may lack, with a value that is not the default. */
const NEWER = {
  Policies: {
    PasswordPolicy: { MinimumLength: 10, RequireNumbers: true, PasswordHistorySize: 4 },
    SignInPolicy: { AllowedFirstAuthFactors: ['PASSWORD', 'EMAIL_OTP'] },
  },
  DeletionProtection: 'ACTIVE',
  AutoVerifiedAttributes: ['email'],
  UserAttributeUpdateSettings: { AttributesRequireVerificationBeforeUpdate: ['email'] },
  EmailVerificationMessage: 'old {####}',
  VerificationMessageTemplate: { EmailMessage: 'new {####}', EmailMessageByLink: '{##new##}' },
  LambdaConfig: {
    PreTokenGenerationConfig: { LambdaVersion: 'V2_0', LambdaArn: LAMBDA },
    InboundFederation: { LambdaVersion: 'V1_0', LambdaArn: LAMBDA },
  },
  SmsConfiguration: { EumsSms: { CallerArn: ROLE } },
  UserPoolAddOns: { AdvancedSecurityMode: 'AUDIT', AdvancedSecurityAdditionalFlows: { CustomAuthMode: 'ENFORCED' } },
  UserPoolTags: { team: 'identity' },
  UserPoolTier: 'PLUS',
  IssuerConfiguration: { Type: 'UPDATED' },
  DcrConfiguration: { EnableStatus: 'Enabled', OpenDcrEnabled: true },
  AcrConfiguration: { Level1: { AcrValue: 'urn:one' } },
} satisfies Partial<CreateUserPoolCommandInput>

const models: [string, (typeof olderModels)[string] | undefined][] = [
  ['the present model', undefined],
  ...Object.entries(olderModels),
]

for (const engine of engines) {
  describe(`callers with older models on ${engine}`, () => {
    let plane: Plane
    before(async () => {
      plane = await startRegions({ engine })
    })
    after(() => plane.stop())

    const describePool = async (UserPoolId: string) => {
      const { UserPool } = await plane.primary.cognito.send(new DescribeUserPoolCommand({ UserPoolId }))
      return { ...UserPool, LastModifiedDate: undefined }
    }
    const part = <T>(value: T, known: Known | undefined): T => (known ? knownPart(value, known) : value)

    for (const [name, model] of models) {
      it(`a pool keeps everything: ${name}`, async () => {
        for (const create of [
          () => createPool(plane.primary),
          () => createPool(plane.primary, NEWER),
          () => createReplicatedPool(plane, { settings: NEWER }),
        ]) {
          const UserPoolId = await create()
          const shown = await describePool(UserPoolId)
          const settings = part({ ...shown, PoolName: shown.Name }, model?.UpdateUserPool)
          await plane.primary.cognito.send(new UpdateUserPoolCommand({ ...settings, UserPoolId }))
          assert.deepEqual(await describePool(UserPoolId), shown)
        }
      })

      it(`a client keeps everything: ${name}`, async () => {
        const UserPoolId = await createPool(plane.primary)
        const { id: ClientId } = await createClient(plane.primary, UserPoolId, {
          GenerateSecret: true,
          ExplicitAuthFlows: ['ALLOW_USER_SRP_AUTH'],
          EnableTokenRevocation: false,
          EnablePropagateAdditionalUserContextData: true,
          AuthSessionValidity: 5,
          RefreshTokenRotation: { Feature: 'ENABLED', RetryGracePeriodSeconds: 10 },
        })
        const describeClient = async () => {
          const command = new DescribeUserPoolClientCommand({ UserPoolId, ClientId })
          return { ...(await plane.primary.cognito.send(command)).UserPoolClient, LastModifiedDate: undefined }
        }
        const shown = await describeClient()
        const settings = part(shown, model?.UpdateUserPoolClient)
        await plane.primary.cognito.send(new UpdateUserPoolClientCommand({ ...settings, UserPoolId, ClientId }))
        assert.deepEqual(await describeClient(), shown)
      })

      it(`passkeys, the sender of text messages and domains keep everything: ${name}`, async () => {
        const { cognito } = plane.primary
        const UserPoolId = await createPool(plane.primary)
        const getMfa = async () => {
          const { $metadata: _, ...config } = await cognito.send(new GetUserPoolMfaConfigCommand({ UserPoolId }))
          return config
        }
        await cognito.send(
          new SetUserPoolMfaConfigCommand({
            UserPoolId,
            MfaConfiguration: 'OPTIONAL',
            SmsMfaConfiguration: { SmsConfiguration: { EumsSms: { CallerArn: ROLE } } },
            SoftwareTokenMfaConfiguration: { Enabled: true },
            WebAuthnConfiguration: {
              RelyingPartyId: 'auth.example.com',
              FactorConfiguration: 'MULTI_FACTOR_WITH_USER_VERIFICATION',
            },
          }),
        )
        const config = await getMfa()
        const known = part(config, model?.SetUserPoolMfaConfig)
        await cognito.send(new SetUserPoolMfaConfigCommand({ ...known, UserPoolId }))
        assert.deepEqual(await getMfa(), config)

        const Domain = `auth-${models.findIndex(([each]) => each === name)}.example.com`
        const CertificateArn = 'arn:aws:acm:us-east-1:000000000000:certificate/11111111-2222-3333-4444-555555555555'
        const CustomDomainConfig = { CertificateArn, SecurityPolicy: 'TLS_V1_3_2025' } as const
        await cognito.send(
          new CreateUserPoolDomainCommand({
            UserPoolId,
            Domain,
            ManagedLoginVersion: 2,
            CustomDomainConfig,
          }),
        )
        const describeDomain = async () => {
          const { DomainDescription } = await cognito.send(new DescribeUserPoolDomainCommand({ Domain }))
          return { ...DomainDescription, Version: undefined }
        }
        const shown = await describeDomain()
        const settings = part(shown, model?.UpdateUserPoolDomain)
        await cognito.send(new UpdateUserPoolDomainCommand({ ...settings, UserPoolId, Domain }))
        assert.deepEqual(await describeDomain(), shown)
      })
    }
  })
}
