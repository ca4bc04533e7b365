import { isDeepStrictEqual } from 'node:util'
import type {
  EmailMfaConfigType,
  SetUserPoolMfaConfigCommandInput,
  SetUserPoolMfaConfigResponse,
  WebAuthnConfigurationType,
} from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import {
  lockPool,
  lockSettings,
  type Pool,
  type PoolDocument,
  putPool,
  putSettings,
  type RegionalSettings,
} from '../../directory/pool.ts'
import { invalidParameter } from '../../errors.ts'
import { withKept } from '../omitted.ts'
import { MFA_ROWS } from './omitted.ts'
import { parseSmsConfiguration } from './regional-settings.ts'
import { checkFirstFactors, checkTier, hasSecondFactor, passkeysAreMfa } from './settings.ts'
import { globalDiffers } from './update.ts'

const MFA_SETTINGS = [
  'MfaConfiguration',
  'smsMfa',
  'SmsAuthenticationMessage',
  'softwareTokenMfa',
  'emailMfa',
  'webAuthn',
] as const
type MfaSettings = Pick<PoolDocument, (typeof MFA_SETTINGS)[number]>

/** The API's member names, for error messages. */
const MEMBERS: Record<(typeof MFA_SETTINGS)[number], string> = {
  MfaConfiguration: 'MfaConfiguration',
  smsMfa: 'SmsMfaConfiguration',
  SmsAuthenticationMessage: 'SmsAuthenticationMessage',
  softwareTokenMfa: 'SoftwareTokenMfaConfiguration',
  emailMfa: 'EmailMfaConfiguration',
  webAuthn: 'WebAuthnConfiguration',
}

/** Renders the second factors of a pool for the API. */
export function describeMfaConfig({
  document,
  settings,
}: Pick<Pool, 'document' | 'settings'>): SetUserPoolMfaConfigResponse {
  const { MfaConfiguration, smsMfa, SmsAuthenticationMessage, softwareTokenMfa, emailMfa, webAuthn } = document
  return {
    SmsMfaConfiguration: smsMfa ? { SmsAuthenticationMessage, SmsConfiguration: settings.SmsConfiguration } : undefined,
    SoftwareTokenMfaConfiguration: softwareTokenMfa,
    EmailMfaConfiguration: emailMfa,
    MfaConfiguration,
    WebAuthnConfiguration: webAuthn,
  }
}

/**
 * Replaces the second factors of a pool: absent factors are turned off, and so is MFA without MfaConfiguration. Passkeys are not
 * only a second factor: without WebAuthnConfiguration they do not change. In a secondary region, only SmsConfiguration may differ.
 * Throws InvalidParameterException, FeatureUnavailableInTierException.
 * https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_SetUserPoolMfaConfig.html
 */
export async function setMfa(
  { store, region }: Pick<Context, 'store' | 'region'>,
  openPool: OpenPool,
  input: SetUserPoolMfaConfigCommandInput,
): Promise<void> {
  const { pool } = openPool
  const { id, role } = pool
  await store.write(async (tx) => {
    const present = role === 'PRIMARY' ? await lockPool(tx, openPool) : pool.document
    const settings = await lockSettings(tx, pool)
    const complete = withKept(MFA_ROWS, input, {
      SmsMfaConfiguration: { SmsConfiguration: settings.SmsConfiguration },
      WebAuthnConfiguration: present.webAuthn,
    })
    const given = complete.SmsMfaConfiguration?.SmsConfiguration
    const SmsConfiguration = given ? parseSmsConfiguration(given, region) : settings.SmsConfiguration
    const mfa = parseMfa(present, complete)
    if (role === 'PRIMARY') {
      checkMfa(mfa, { ...settings, SmsConfiguration }, present)
      await putPool(tx, openPool, { ...present, ...mfa, modified: tx.now })
    } else {
      const differing = MFA_SETTINGS.filter((name) => !isDeepStrictEqual(plain(mfa[name]), plain(present[name])))
      if (differing.length > 0) throw globalDiffers(differing.map((name) => MEMBERS[name]))
    }
    if (given) await putSettings(tx, id, { ...settings, SmsConfiguration, modified: tx.now })
  })
}

function parseMfa(present: PoolDocument, input: SetUserPoolMfaConfigCommandInput): MfaSettings {
  const {
    MfaConfiguration = 'OFF',
    SmsMfaConfiguration,
    SoftwareTokenMfaConfiguration,
    EmailMfaConfiguration,
    WebAuthnConfiguration,
  } = input
  if (MfaConfiguration === 'OFF' && (SmsMfaConfiguration || SoftwareTokenMfaConfiguration || EmailMfaConfiguration)) {
    throw invalidParameter("Invalid MFA configuration given, can't turn off MFA and configure an MFA together.")
  }
  return {
    MfaConfiguration,
    smsMfa: SmsMfaConfiguration !== undefined,
    SmsAuthenticationMessage: SmsMfaConfiguration
      ? SmsMfaConfiguration.SmsAuthenticationMessage
      : present.SmsAuthenticationMessage,
    softwareTokenMfa: SoftwareTokenMfaConfiguration && { Enabled: SoftwareTokenMfaConfiguration.Enabled ?? false },
    emailMfa: EmailMfaConfiguration,
    webAuthn: WebAuthnConfiguration,
  }
}

function checkMfa(
  mfa: MfaSettings,
  settings: RegionalSettings,
  { UserPoolTier = 'ESSENTIALS', Policies }: PoolDocument,
): void {
  const { MfaConfiguration, smsMfa, emailMfa, webAuthn } = mfa
  checkTier(UserPoolTier, [
    ['ESSENTIALS', emailMfa !== undefined, 'Email MFA'],
    ['ESSENTIALS', passkeysAreMfa(mfa), 'MFA with passkeys'],
  ])
  if (smsMfa && !settings.SmsConfiguration) {
    throw invalidParameter('[SmsConfiguration] is a required member of [SmsMfaConfiguration].')
  }
  if (MfaConfiguration !== 'OFF' && !hasSecondFactor(mfa)) {
    throw invalidParameter('At least one of [SmsMfaConfiguration] or [SoftwareTokenMfaConfiguration] must be provided.')
  }
  checkFirstFactors({ Policies, MfaConfiguration }, settings)
  checkEmailMfa(emailMfa, settings)
  checkRelyingParty(webAuthn)
}

/** https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-mfa-sms-email-message.html */
function checkEmailMfa(emailMfa: EmailMfaConfigType | undefined, { EmailConfiguration }: RegionalSettings): void {
  if (emailMfa && EmailConfiguration?.EmailSendingAccount !== 'DEVELOPER') {
    throw invalidParameter('Email MFA requires an EmailConfiguration whose EmailSendingAccount is DEVELOPER.')
  }
}

const HOST = /^(?=.{1,127}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/

/** The id of a relying party is a host name. https://www.w3.org/TR/webauthn-3/#relying-party-identifier */
function checkRelyingParty(webAuthn: WebAuthnConfigurationType | undefined): void {
  if (webAuthn?.RelyingPartyId !== undefined && !HOST.test(webAuthn.RelyingPartyId)) {
    throw invalidParameter('RelyingPartyId must be a domain name.')
  }
}

/** The value as JSON restores it; `false` equals absent. */
const plain = (value: unknown): unknown =>
  value === undefined || value === false ? undefined : JSON.parse(JSON.stringify(value))
