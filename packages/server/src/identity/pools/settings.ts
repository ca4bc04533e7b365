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
import type { PoolDocument } from '../../directory/pool.ts'
import { CognitoError, invalidParameter } from '../../errors.ts'

/** The settings that CreateUserPool and UpdateUserPool decide, and that are the same in every region of the pool. */
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
const DEFAULT_TEMPORARY_DAYS = 7
const DEFAULT_ACR = { Level1: 1, Level2: 2, Level3: 3, Level4: 4 }

/**
 * Reads the settings of a pool as they are kept and shown: what is left out gets its default, for an update replaces
 * everything. DcrConfiguration alone has none: an update without it leaves it as it is. Throws InvalidParameterException.
 * https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPool.html
 */
export function parseGlobalSettings(input: PoolInput): GlobalSettings {
  const template = parseVerificationTemplate(input)
  const passwordPolicy = parsePasswordPolicy(input)
  return {
    Policies: { PasswordPolicy: passwordPolicy, SignInPolicy: parseSignInPolicy(input.Policies?.SignInPolicy) },
    DeletionProtection: input.DeletionProtection ?? 'INACTIVE',
    AutoVerifiedAttributes: unlessEmpty(distinct('AutoVerifiedAttributes', input.AutoVerifiedAttributes)),
    SmsVerificationMessage: template.SmsMessage,
    EmailVerificationMessage: template.EmailMessage,
    EmailVerificationSubject: template.EmailSubject,
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

/** Checks that the plan of a pool has what its settings ask for. Throws FeatureUnavailableInTierException. */
export function checkPlan(settings: GlobalSettings): void {
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

const TIERS: Record<UserPoolTierType, number> = { LITE: 0, ESSENTIALS: 1, PLUS: 2 }

/** Refuses what a plan lacks: rows of (plan that it needs, whether it is wanted, its name). Throws FeatureUnavailableInTierException. */
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

/** Left out altogether, every character class is required; left out of a policy that is given, none of them. */
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

/** The template and the three older members are one thing under two names; both are given back. */
function parseVerificationTemplate(input: PoolInput): VerificationMessageTemplateType {
  const given = input.VerificationMessageTemplate ?? {}
  const template: VerificationMessageTemplateType = {
    SmsMessage: same('SmsVerificationMessage', input.SmsVerificationMessage, given.SmsMessage),
    EmailMessage: same('EmailVerificationMessage', input.EmailVerificationMessage, given.EmailMessage),
    EmailSubject: same('EmailVerificationSubject', input.EmailVerificationSubject, given.EmailSubject),
    EmailMessageByLink: given.EmailMessageByLink,
    EmailSubjectByLink: given.EmailSubjectByLink,
    DefaultEmailOption: given.DefaultEmailOption ?? 'CONFIRM_WITH_CODE',
  }
  if (given.EmailMessage !== undefined && given.EmailMessageByLink !== undefined) {
    throw invalidParameter('EmailMessage and EmailMessageByLink cannot both be set.')
  }
  return template
}

function same(member: string, legacy: string | undefined, given: string | undefined): string | undefined {
  if (legacy !== undefined && given !== undefined && legacy !== given) {
    throw invalidParameter(`${member} and VerificationMessageTemplate must have the same value.`)
  }
  return given ?? legacy
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

function parseAccountRecovery(given: AccountRecoverySettingType | undefined): AccountRecoverySettingType | undefined {
  const mechanisms = given?.RecoveryMechanisms
  if (!mechanisms) return undefined
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

/** Undefined for the key that AWS owns: that is how the service describes it, too. */
function parseKeyConfiguration(given: KeyConfigurationType | undefined): KeyConfigurationType | undefined {
  if (!given) return undefined
  const { KmsKeyArn, KeyType = KmsKeyArn === undefined ? 'AWS_OWNED_KEY' : 'CUSTOMER_MANAGED_KEY' } = given
  if (KeyType === 'AWS_OWNED_KEY') {
    if (KmsKeyArn !== undefined) throw invalidParameter('KmsKeyArn cannot be set when KeyType is AWS_OWNED_KEY.')
    return undefined
  }
  if (KmsKeyArn === undefined) throw invalidParameter('KmsKeyArn is required when KeyType is CUSTOMER_MANAGED_KEY.')
  return { KeyType, KmsKeyArn }
}

/** All four levels, with the default names of those that are not given. */
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

/** The list as it is. Throws InvalidParameterException when it has a value twice. */
export function distinct<T>(member: string, list: readonly T[] | undefined): T[] | undefined {
  if (list && new Set(list).size < list.length) throw invalidParameter(`${member} contains duplicate values.`)
  return list && [...list]
}
