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
import { readSmsConfiguration } from './regional-settings.ts'
import { checkTier } from './settings.ts'
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

/** What the API calls the settings of which a difference is found. */
const MEMBERS: Record<(typeof MFA_SETTINGS)[number], string> = {
  MfaConfiguration: 'MfaConfiguration',
  smsMfa: 'SmsMfaConfiguration',
  SmsAuthenticationMessage: 'SmsAuthenticationMessage',
  softwareTokenMfa: 'SoftwareTokenMfaConfiguration',
  emailMfa: 'EmailMfaConfiguration',
  webAuthn: 'WebAuthnConfiguration',
}

/** The second factors of a pool as the API describes them. */
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
 * Sets the second factors of a pool. With MfaConfiguration, the factors that are left out are off from then on; without it,
 * and of passkeys always, what is left out stays as it is. In a secondary region only SmsConfiguration may be another one.
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
    const given = input.SmsMfaConfiguration?.SmsConfiguration
    const SmsConfiguration = given ? readSmsConfiguration(given, region) : settings.SmsConfiguration
    const mfa = readMfa(present, input)
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

function readMfa(present: PoolDocument, input: SetUserPoolMfaConfigCommandInput): MfaSettings {
  const { MfaConfiguration, SmsMfaConfiguration, SoftwareTokenMfaConfiguration, EmailMfaConfiguration } = input
  const kept = MfaConfiguration === undefined ? present : undefined
  if (MfaConfiguration === 'OFF' && (SmsMfaConfiguration || SoftwareTokenMfaConfiguration?.Enabled)) {
    throw invalidParameter("Invalid MFA configuration given, can't turn off MFA and configure an MFA together.")
  }
  return {
    MfaConfiguration: MfaConfiguration ?? present.MfaConfiguration,
    smsMfa: SmsMfaConfiguration ? true : (kept?.smsMfa ?? false),
    SmsAuthenticationMessage: SmsMfaConfiguration
      ? SmsMfaConfiguration.SmsAuthenticationMessage
      : present.SmsAuthenticationMessage,
    softwareTokenMfa: SoftwareTokenMfaConfiguration
      ? { Enabled: SoftwareTokenMfaConfiguration.Enabled ?? false }
      : kept?.softwareTokenMfa,
    emailMfa: EmailMfaConfiguration ?? kept?.emailMfa,
    webAuthn: input.WebAuthnConfiguration ?? present.webAuthn,
  }
}

function checkMfa(mfa: MfaSettings, settings: RegionalSettings, { UserPoolTier = 'ESSENTIALS' }: PoolDocument): void {
  const { MfaConfiguration, smsMfa, softwareTokenMfa, emailMfa, webAuthn } = mfa
  const passkeys = webAuthn?.FactorConfiguration === 'MULTI_FACTOR_WITH_USER_VERIFICATION'
  checkTier(UserPoolTier, [
    ['ESSENTIALS', emailMfa !== undefined, 'Email MFA'],
    ['ESSENTIALS', passkeys, 'MFA with passkeys'],
  ])
  if (smsMfa && !settings.SmsConfiguration) {
    throw invalidParameter('[SmsConfiguration] is a required member of [SmsMfaConfiguration].')
  }
  if (MfaConfiguration !== 'OFF' && !smsMfa && !softwareTokenMfa?.Enabled && !emailMfa && !passkeys) {
    throw invalidParameter('At least one of [SmsMfaConfiguration] or [SoftwareTokenMfaConfiguration] must be provided.')
  }
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

/** A relying party is named by a host name. https://www.w3.org/TR/webauthn-3/#relying-party-identifier */
function checkRelyingParty(webAuthn: WebAuthnConfigurationType | undefined): void {
  if (webAuthn?.RelyingPartyId !== undefined && !HOST.test(webAuthn.RelyingPartyId)) {
    throw invalidParameter('RelyingPartyId must be a domain name.')
  }
}

/** As it would be read back from the store; off and absent are one. */
const plain = (value: unknown): unknown =>
  value === undefined || value === false ? undefined : JSON.parse(JSON.stringify(value))
