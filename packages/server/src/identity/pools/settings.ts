import { isDeepStrictEqual } from 'node:util'
import type {
  AccountRecoverySettingType,
  AcrLevelConfigType,
  AdminCreateUserConfigType,
  CreateUserPoolCommandInput,
  DcrConfigurationType,
  KeyConfigurationType,
  PasswordPolicyType,
  SignInPolicyType,
  UpdateUserPoolCommandInput,
  UserPoolTierType,
  VerificationMessageTemplateType,
} from '@aws-sdk/client-cognito-identity-provider'
import type { PoolDocument, RegionalSettings } from '../../directory/pool.ts'
import { CognitoError, invalidParameter } from '../../errors.ts'

/** The settings that CreateUserPool and UpdateUserPool replace, and that are equal in all regions of the pool. */
export const GLOBAL_SETTINGS = [
  'Policies',
  'DeletionProtection',
  'AutoVerifiedAttributes',
  'SmsVerificationMessage',
  'EmailVerificationMessage',
  'EmailVerificationSubject',
  'VerificationMessageTemplate',
  'SmsAuthenticationMessage',
  'UserAttributeUpdateSettings',
  'MfaConfiguration',
  'DeviceConfiguration',
  'AdminCreateUserConfig',
  'UserPoolAddOns',
  'DcrConfiguration',
  'AccountRecoverySetting',
  'UserPoolTier',
  'KeyConfiguration',
  'IssuerConfiguration',
  'AcrConfiguration',
] as const
export type GlobalSettings = Pick<PoolDocument, (typeof GLOBAL_SETTINGS)[number]>

type PoolInput = Pick<CreateUserPoolCommandInput & UpdateUserPoolCommandInput, (typeof GLOBAL_SETTINGS)[number]>

const DEFAULT_MINIMUM_LENGTH = 8
export const DEFAULT_TEMPORARY_DAYS = 7
const DEFAULT_ACR = { Level1: 1, Level2: 2, Level3: 3, Level4: 4 }

/**
 * Parses the global settings of a pool. Absent members get their defaults; an update has filled in the members that it keeps
 * (omitted.ts). Throws InvalidParameterException.
 * https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPool.html
 */
export function parseGlobalSettings(input: PoolInput): GlobalSettings {
  const template = parseVerificationTemplate(input)
  const passwordPolicy = parsePasswordPolicy(input)
  return {
    Policies: { PasswordPolicy: passwordPolicy, SignInPolicy: parseSignInPolicy(input.Policies?.SignInPolicy) },
    DeletionProtection: input.DeletionProtection ?? 'INACTIVE',
    AutoVerifiedAttributes: unlessEmpty(distinct('AutoVerifiedAttributes', input.AutoVerifiedAttributes)),
    SmsVerificationMessage: input.SmsVerificationMessage ?? template.SmsMessage,
    EmailVerificationMessage: input.EmailVerificationMessage ?? template.EmailMessage,
    EmailVerificationSubject: input.EmailVerificationSubject ?? template.EmailSubject,
    VerificationMessageTemplate: template,
    SmsAuthenticationMessage: input.SmsAuthenticationMessage,
    UserAttributeUpdateSettings: {
      AttributesRequireVerificationBeforeUpdate: parseVerifiedBeforeUpdate(input),
    },
    MfaConfiguration: input.MfaConfiguration ?? 'OFF',
    DeviceConfiguration: input.DeviceConfiguration && {
      ChallengeRequiredOnNewDevice: input.DeviceConfiguration.ChallengeRequiredOnNewDevice ?? false,
      DeviceOnlyRememberedOnUserPrompt: input.DeviceConfiguration.DeviceOnlyRememberedOnUserPrompt ?? false,
    },
    AdminCreateUserConfig: parseAdminCreateUserConfig(input, passwordPolicy),
    UserPoolAddOns: input.UserPoolAddOns,
    DcrConfiguration: input.DcrConfiguration && parseDcrConfiguration(input.DcrConfiguration),
    AccountRecoverySetting: parseAccountRecovery(input.AccountRecoverySetting),
    UserPoolTier: input.UserPoolTier ?? 'ESSENTIALS',
    KeyConfiguration: parseKeyConfiguration(input.KeyConfiguration),
    IssuerConfiguration: { Type: input.IssuerConfiguration?.Type ?? 'ORIGINAL' },
    AcrConfiguration: parseAcrConfiguration(input.AcrConfiguration),
  }
}

/** Checks that the tier of a pool includes the features that its settings use. Throws FeatureUnavailableInTierException. */
export function checkTierFeatures(settings: GlobalSettings): void {
  const { Policies, DcrConfiguration, AcrConfiguration, UserPoolAddOns, UserPoolTier = 'ESSENTIALS' } = settings
  const factors = Policies?.SignInPolicy?.AllowedFirstAuthFactors ?? []
  const remembered = Policies?.PasswordPolicy?.PasswordHistorySize ?? 0
  checkTier(UserPoolTier, [
    ['ESSENTIALS', factors.some((factor) => factor !== 'PASSWORD'), 'Choice-based sign-in'],
    ['ESSENTIALS', remembered > 0, 'Password history'],
    ['ESSENTIALS', DcrConfiguration?.EnableStatus === 'Enabled', 'Dynamic client registration'],
    ['ESSENTIALS', !isDeepStrictEqual(AcrConfiguration, parseAcrConfiguration({})), 'Naming of ACR levels'],
    ['PLUS', (UserPoolAddOns?.AdvancedSecurityMode ?? 'OFF') !== 'OFF', 'Threat protection'],
  ])
}

/** Whether passkeys satisfy MFA requirements. */
export const passkeysAreMfa = ({ webAuthn }: Pick<PoolDocument, 'webAuthn'>): boolean =>
  webAuthn?.FactorConfiguration === 'MULTI_FACTOR_WITH_USER_VERIFICATION'

/** Whether any second factor is enabled, so that a user can pass MFA at all. */
export const hasSecondFactor = (
  settings: Pick<PoolDocument, 'smsMfa' | 'softwareTokenMfa' | 'emailMfa' | 'webAuthn'>,
): boolean =>
  settings.smsMfa === true ||
  settings.softwareTokenMfa?.Enabled === true ||
  settings.emailMfa !== undefined ||
  passkeysAreMfa(settings)

/**
 * Checks the first factors against MFA: one-time codes exclude a required second factor, and codes by SMS need a sender. Throws
 * InvalidParameterException.
 */
export function checkFirstFactors(
  { Policies, MfaConfiguration }: Pick<PoolDocument, 'Policies' | 'MfaConfiguration'>,
  { SmsConfiguration }: Pick<RegionalSettings, 'SmsConfiguration'>,
): void {
  const factors = Policies?.SignInPolicy?.AllowedFirstAuthFactors ?? []
  const code = factors.find((factor) => factor === 'EMAIL_OTP' || factor === 'SMS_OTP')
  if (MfaConfiguration === 'ON' && code) {
    throw invalidParameter(`${code} cannot be in AllowedFirstAuthFactors while MfaConfiguration is ON.`)
  }
  if (factors.includes('SMS_OTP') && !SmsConfiguration) {
    throw invalidParameter('SmsConfiguration is required when AllowedFirstAuthFactors includes SMS_OTP.')
  }
}

/** Whether dynamic client registration is enabled. */
export const allowsRegistration = ({ DcrConfiguration }: Pick<PoolDocument, 'DcrConfiguration'>): boolean =>
  DcrConfiguration?.EnableStatus === 'Enabled'

const TIERS: Record<UserPoolTierType, number> = { LITE: 0, ESSENTIALS: 1, PLUS: 2 }

/** `features`: rows of (required tier, whether the feature is used, its name). Throws FeatureUnavailableInTierException. */
export function checkTier(
  tier: UserPoolTierType,
  features: readonly (readonly [UserPoolTierType, boolean, string])[],
): void {
  for (const [needed, wanted, name] of features) {
    if (wanted && TIERS[tier] < TIERS[needed]) {
      throw new CognitoError('FeatureUnavailableInTierException', `${name} is not available in the ${tier} tier.`)
    }
  }
}

/** Without a policy, all character classes are required; in a given policy, only the listed ones. */
function parsePasswordPolicy({ Policies, AdminCreateUserConfig }: PoolInput): PasswordPolicyType {
  const given = Policies?.PasswordPolicy
  const legacyDays = AdminCreateUserConfig?.UnusedAccountValidityDays || undefined
  const days = given?.TemporaryPasswordValidityDays || undefined
  if (days !== undefined && legacyDays !== undefined && days !== legacyDays) {
    throw invalidParameter(
      'Please use TemporaryPasswordValidityDays in PasswordPolicy instead of UnusedAccountValidityDays',
    )
  }
  return {
    MinimumLength: given?.MinimumLength ?? DEFAULT_MINIMUM_LENGTH,
    RequireUppercase: given ? (given.RequireUppercase ?? false) : true,
    RequireLowercase: given ? (given.RequireLowercase ?? false) : true,
    RequireNumbers: given ? (given.RequireNumbers ?? false) : true,
    RequireSymbols: given ? (given.RequireSymbols ?? false) : true,
    PasswordHistorySize: given?.PasswordHistorySize,
    TemporaryPasswordValidityDays: days ?? legacyDays ?? DEFAULT_TEMPORARY_DAYS,
  }
}

function parseSignInPolicy(given: SignInPolicyType | undefined): SignInPolicyType {
  const factors = distinct('AllowedFirstAuthFactors', given?.AllowedFirstAuthFactors) ?? ['PASSWORD']
  if (!factors.includes('PASSWORD')) throw invalidParameter('AllowedFirstAuthFactors must include PASSWORD.')
  if (factors.includes('SOFTWARE_TOKEN'))
    throw invalidParameter('SOFTWARE_TOKEN is not supported as a first auth factor.')
  return { AllowedFirstAuthFactors: factors }
}

/** The three legacy members fill in a template that lacks their text; messages are sent from the template. */
function parseVerificationTemplate(input: PoolInput): VerificationMessageTemplateType {
  const given = input.VerificationMessageTemplate ?? {}
  return {
    SmsMessage: given.SmsMessage ?? input.SmsVerificationMessage,
    EmailMessage: given.EmailMessage ?? input.EmailVerificationMessage,
    EmailSubject: given.EmailSubject ?? input.EmailVerificationSubject,
    EmailMessageByLink: given.EmailMessageByLink,
    EmailSubjectByLink: given.EmailSubjectByLink,
    DefaultEmailOption: given.DefaultEmailOption ?? 'CONFIRM_WITH_CODE',
  }
}

function parseVerifiedBeforeUpdate({ UserAttributeUpdateSettings, AutoVerifiedAttributes }: PoolInput) {
  const wanted =
    distinct(
      'AttributesRequireVerificationBeforeUpdate',
      UserAttributeUpdateSettings?.AttributesRequireVerificationBeforeUpdate,
    ) ?? []
  const missing = wanted.find((name) => !AutoVerifiedAttributes?.includes(name))
  if (missing)
    throw invalidParameter(`AttributesRequireVerificationBeforeUpdate: ${missing} must be in AutoVerifiedAttributes.`)
  return wanted
}

function parseAdminCreateUserConfig(
  { AdminCreateUserConfig: given }: PoolInput,
  { TemporaryPasswordValidityDays }: PasswordPolicyType,
): AdminCreateUserConfigType {
  return {
    AllowAdminCreateUserOnly: given?.AllowAdminCreateUserOnly ?? false,
    UnusedAccountValidityDays: TemporaryPasswordValidityDays,
    InviteMessageTemplate: given?.InviteMessageTemplate,
  }
}

function parseDcrConfiguration(given: DcrConfigurationType): DcrConfigurationType {
  return {
    EnableStatus: given.EnableStatus ?? 'Enabled',
    OpenDcrEnabled: given.OpenDcrEnabled ?? false,
    AuthenticatedGrantTypes: distinct('AuthenticatedGrantTypes', given.AuthenticatedGrantTypes) ?? [
      'code',
      'client_credentials',
    ],
    OpenDcrGrantTypes: distinct('OpenDcrGrantTypes', given.OpenDcrGrantTypes) ?? ['code'],
    AllowedScopes: distinct('AllowedScopes', given.AllowedScopes),
  }
}

/** The setting of a pool that was created without one. */
export const DEFAULT_RECOVERY = {
  RecoveryMechanisms: [
    { Priority: 1, Name: 'verified_email' },
    { Priority: 2, Name: 'verified_phone_number' },
  ],
} as const satisfies AccountRecoverySettingType

function parseAccountRecovery(given: AccountRecoverySettingType | undefined): AccountRecoverySettingType {
  const mechanisms = given?.RecoveryMechanisms ?? [...DEFAULT_RECOVERY.RecoveryMechanisms]
  distinct(
    'RecoveryMechanisms',
    mechanisms.map(({ Name }) => Name),
  )
  distinct(
    'RecoveryMechanisms',
    mechanisms.map(({ Priority }) => Priority),
  )
  if (mechanisms.length > 1 && mechanisms.some(({ Name }) => Name === 'admin_only')) {
    throw invalidParameter('The recovery mechanism admin_only cannot be combined with others.')
  }
  return { RecoveryMechanisms: mechanisms }
}

/** Returns undefined for AWS_OWNED_KEY. */
export function parseKeyConfiguration(given: KeyConfigurationType | undefined): KeyConfigurationType | undefined {
  if (!given) return undefined
  const { KmsKeyArn, KeyType = KmsKeyArn === undefined ? 'AWS_OWNED_KEY' : 'CUSTOMER_MANAGED_KEY' } = given
  if (KeyType === 'AWS_OWNED_KEY') {
    if (KmsKeyArn !== undefined) throw invalidParameter('KmsKeyArn cannot be set when KeyType is AWS_OWNED_KEY.')
    return undefined
  }
  if (KmsKeyArn === undefined) throw invalidParameter('KmsKeyArn is required when KeyType is CUSTOMER_MANAGED_KEY.')
  return { KeyType, KmsKeyArn }
}

/** All four levels; absent ones get their default names. */
function parseAcrConfiguration(given: Record<string, AcrLevelConfigType> = {}): Record<string, AcrLevelConfigType> {
  const levels = Object.entries(DEFAULT_ACR).map(
    ([level, number]) => [level, { AcrValue: given[level]?.AcrValue ?? `urn:cognito:loa:${number}` }] as const,
  )
  distinct(
    'AcrConfiguration',
    levels.map(([, { AcrValue }]) => AcrValue),
  )
  return Object.fromEntries(levels)
}

const unlessEmpty = <T>(list: T[] | undefined): T[] | undefined => (list?.length === 0 ? undefined : list)

/** Copies the list. Throws InvalidParameterException for duplicate values. */
export function distinct<T>(member: string, list: readonly T[] | undefined): T[] | undefined {
  if (list && new Set(list).size < list.length) throw invalidParameter(`${member} contains duplicate values.`)
  return list && [...list]
}
