import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type CognitoIdentityProviderClient,
  DescribeUserPoolCommand,
  GetUserPoolMfaConfigCommand,
  SetUserPoolMfaConfigCommand,
  type SetUserPoolMfaConfigCommandInput,
  UpdateUserPoolCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { createPool } from '@twinpool/testing/pools'
import { engines, type Plane, startRegions } from '@twinpool/testing/regions'

type Settings = Omit<SetUserPoolMfaConfigCommandInput, 'UserPoolId'>

const SmsConfiguration = {
  SnsCallerArn: 'arn:aws:iam::000000000000:role/sms',
  ExternalId: 'outside',
  SnsRegion: 'us-west-2',
}
const SmsMfaConfiguration = { SmsAuthenticationMessage: 'To sign in: {####}', SmsConfiguration }
const SoftwareTokenMfaConfiguration = { Enabled: true }
const EmailMfaConfiguration = { Message: 'To sign in: {####}', Subject: 'A code' }
const EmailConfiguration = {
  EmailSendingAccount: 'DEVELOPER',
  SourceArn: 'arn:aws:ses:us-west-2:000000000000:identity/us@example.com',
} as const
const WebAuthnConfiguration = {
  RelyingPartyId: 'auth.example.com',
  UserVerification: 'required',
  FactorConfiguration: 'MULTI_FACTOR_WITH_USER_VERIFICATION',
} as const

const P = 'InvalidParameterException'
const TIER = 'FeatureUnavailableInTierException'
const REFUSED: [what: string, settings: Settings, name: string, message?: RegExp][] = [
  [
    'turning MFA off and TOTP on',
    { MfaConfiguration: 'OFF', SoftwareTokenMfaConfiguration },
    P,
    /can't turn off MFA and configure an MFA together/,
  ],
  ['turning MFA off and SMS on', { MfaConfiguration: 'OFF', SmsMfaConfiguration }, P, /can't turn off MFA/],
  ['turning MFA off and e-mail on', { MfaConfiguration: 'OFF', EmailMfaConfiguration }, P, /can't turn off MFA/],
  [
    'turning MFA off beside a factor that is off',
    { MfaConfiguration: 'OFF', SoftwareTokenMfaConfiguration: { Enabled: false } },
    P,
    /can't turn off MFA/,
  ],
  ['a factor without MfaConfiguration, which is OFF', { SoftwareTokenMfaConfiguration }, P, /can't turn off MFA/],
  ['MFA without a factor', { MfaConfiguration: 'ON' }, P, /At least one of/],
  [
    'MFA whose only factor is off',
    { MfaConfiguration: 'OPTIONAL', SoftwareTokenMfaConfiguration: { Enabled: false } },
    P,
  ],
  ['SMS without a way to send', { MfaConfiguration: 'ON', SmsMfaConfiguration: {} }, P, /SmsConfiguration/],
  ['email MFA without a custom sender', { MfaConfiguration: 'ON', EmailMfaConfiguration }, P, /DEVELOPER/],
  ['a relying party that is not a domain', { WebAuthnConfiguration: { RelyingPartyId: 'https://example.com' } }, P],
  ['a message without a placeholder for the code', { SmsMfaConfiguration: { SmsAuthenticationMessage: 'no code' } }, P],
]
const REFUSED_ON_LITE: typeof REFUSED = [
  ['email MFA', { MfaConfiguration: 'ON', EmailMfaConfiguration }, TIER],
  ['passkeys as a second factor', { WebAuthnConfiguration }, TIER],
]

for (const engine of engines) {
  describe(`MFA configuration on ${engine}`, () => {
    let plane: Plane
    let cognito: CognitoIdentityProviderClient
    before(async () => {
      plane = await startRegions({ engine, regions: ['us-west-2'] })
      cognito = plane.primary.cognito
    })
    after(() => plane.stop())

    const set = (UserPoolId: string, settings: Settings) =>
      cognito.send(new SetUserPoolMfaConfigCommand({ UserPoolId, ...settings }))
    const get = async (UserPoolId: string) => {
      const { $metadata: _, ...config } = await cognito.send(new GetUserPoolMfaConfigCommand({ UserPoolId }))
      return config
    }

    it('is OFF in a new pool', async () => {
      assert.deepEqual(await get(await createPool(plane.primary)), { MfaConfiguration: 'OFF' })
    })

    it('returns every member that it accepts', async () => {
      const pool = await createPool(plane.primary, { EmailConfiguration })
      const everything = {
        MfaConfiguration: 'OPTIONAL',
        SmsMfaConfiguration,
        SoftwareTokenMfaConfiguration,
        EmailMfaConfiguration,
        WebAuthnConfiguration,
      } as const
      const { $metadata: _, ...answer } = await set(pool, everything)
      assert.deepEqual(answer, everything)
      assert.deepEqual(await get(pool), everything)
    })

    it('and the members of the pool are the same settings', async () => {
      const pool = await createPool(plane.primary)
      await set(pool, { MfaConfiguration: 'ON', SmsMfaConfiguration })
      const { UserPool } = await cognito.send(new DescribeUserPoolCommand({ UserPoolId: pool }))
      assert.equal(UserPool?.MfaConfiguration, 'ON')
      assert.deepEqual(UserPool?.SmsConfiguration, SmsConfiguration)
      assert.equal(UserPool?.SmsAuthenticationMessage, 'To sign in: {####}')
      const other = await createPool(plane.primary, { MfaConfiguration: 'OPTIONAL', SmsConfiguration })
      assert.deepEqual(await get(other), { MfaConfiguration: 'OPTIONAL', SmsMfaConfiguration: { SmsConfiguration } })
    })

    it('turns off the factors that are left out, and keeps passkeys', async () => {
      const pool = await createPool(plane.primary)
      await set(pool, { MfaConfiguration: 'ON', SmsMfaConfiguration, WebAuthnConfiguration })
      await set(pool, { MfaConfiguration: 'ON', SoftwareTokenMfaConfiguration })
      assert.deepEqual(await get(pool), {
        MfaConfiguration: 'ON',
        SoftwareTokenMfaConfiguration,
        WebAuthnConfiguration,
      })
      await set(pool, { MfaConfiguration: 'OFF' })
      assert.deepEqual(await get(pool), { MfaConfiguration: 'OFF', WebAuthnConfiguration })
    })

    it('turns MFA off when MfaConfiguration is left out, and keeps the kind of factor that passkeys are', async () => {
      const pool = await createPool(plane.primary)
      await set(pool, { MfaConfiguration: 'ON', SoftwareTokenMfaConfiguration, WebAuthnConfiguration })
      await set(pool, { WebAuthnConfiguration: { UserVerification: 'preferred' } })
      const { FactorConfiguration } = WebAuthnConfiguration
      assert.deepEqual(await get(pool), {
        MfaConfiguration: 'OFF',
        WebAuthnConfiguration: { UserVerification: 'preferred', FactorConfiguration },
      })
      await set(pool, {})
      assert.deepEqual((await get(pool)).MfaConfiguration, 'OFF')
    })

    it('required MFA and codes as a first factor exclude each other', async () => {
      for (const factor of ['EMAIL_OTP', 'SMS_OTP'] as const) {
        const pool = await createPool(plane.primary, {
          SmsConfiguration,
          Policies: { SignInPolicy: { AllowedFirstAuthFactors: ['PASSWORD', factor] } },
        })
        const refused = { name: P, message: new RegExp(`^${factor} cannot be in AllowedFirstAuthFactors`) }
        await assert.rejects(set(pool, { MfaConfiguration: 'ON', SoftwareTokenMfaConfiguration }), refused)
        await set(pool, { MfaConfiguration: 'OPTIONAL', SoftwareTokenMfaConfiguration })
        const update = { UserPoolId: pool, MfaConfiguration: 'ON', SmsConfiguration } as const
        await assert.rejects(cognito.send(new UpdateUserPoolCommand(update)), refused)
      }
    })

    it('lets UpdateUserPool require MFA of a pool that has only TOTP', async () => {
      const UserPoolId = await createPool(plane.primary)
      const demand = () => cognito.send(new UpdateUserPoolCommand({ UserPoolId, MfaConfiguration: 'ON' }))
      await assert.rejects(demand(), { name: P, message: /SMS configuration/ })
      await set(UserPoolId, { MfaConfiguration: 'OPTIONAL', SoftwareTokenMfaConfiguration })
      await demand()
      assert.deepEqual(await get(UserPoolId), { MfaConfiguration: 'ON', SoftwareTokenMfaConfiguration })
    })

    it('refuses invalid settings, and changes nothing', async () => {
      const pool = await createPool(plane.primary)
      for (const [what, settings, name, message] of REFUSED) {
        await assert.rejects(set(pool, settings), { name, ...(message && { message }) }, what)
      }
      assert.deepEqual(await get(pool), { MfaConfiguration: 'OFF' })
    })

    it('refuses on Lite the settings that Lite lacks', async () => {
      const pool = await createPool(plane.primary, { UserPoolTier: 'LITE', EmailConfiguration })
      for (const [what, settings, name] of REFUSED_ON_LITE) await assert.rejects(set(pool, settings), { name }, what)
      await set(pool, { MfaConfiguration: 'ON', SoftwareTokenMfaConfiguration })
    })

    it('refuses the change to Lite for a pool with settings that Lite lacks', async () => {
      const UserPoolId = await createPool(plane.primary, { EmailConfiguration })
      const toLite = () =>
        cognito.send(new UpdateUserPoolCommand({ UserPoolId, EmailConfiguration, UserPoolTier: 'LITE' }))
      await set(UserPoolId, { MfaConfiguration: 'ON', EmailMfaConfiguration })
      await assert.rejects(toLite(), { name: 'TierChangeNotAllowedException' })
      await set(UserPoolId, { MfaConfiguration: 'OFF', WebAuthnConfiguration })
      await assert.rejects(toLite(), { name: 'TierChangeNotAllowedException' })
    })
  })
}
