import type {
  LambdaConfigType,
  PasswordPolicyType,
  SetUserPoolMfaConfigCommandInput,
  SmsConfigurationType,
  UpdateUserPoolCommandInput,
  UpdateUserPoolDomainCommandInput,
  UserAttributeUpdateSettingsType,
} from '@aws-sdk/client-cognito-identity-provider'
import { omittedRows } from '../omitted.ts'

type SmsParent = { SmsConfiguration?: SmsConfigurationType | undefined }

const keptRegion = (present: string, { SmsConfiguration: given }: SmsParent): string | undefined =>
  given?.SnsCallerArn === undefined ? undefined : present

/** Messages go through one of two services: a caller that names the other one replaces it. */
const keptEums = <T>(present: T, { SmsConfiguration: given }: SmsParent): T | undefined =>
  given?.SnsCallerArn === undefined ? present : undefined

const keptMfaEums = <T>(present: T, { SmsMfaConfiguration }: SetUserPoolMfaConfigCommandInput): T | undefined =>
  keptEums(present, SmsMfaConfiguration ?? {})

/**
 * UpdateUserPool. The API text resets every member that is left out. Measured on the service, the policies and MFA are kept; and
 * an SDK that does not know a member can neither read it nor send it back.
 * https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPool.html
 */
// biome-ignore format: a table
export const POOL_ROWS = omittedRows<UpdateUserPoolCommandInput>()({
  PoolName:                                         { omitted: 'kept',  source: 'text' },
  Policies:                                         { omitted: 'kept',  source: 'measured', keep: keptPolicies },
  'Policies.PasswordPolicy':                        { omitted: 'kept',  source: 'measured', keep: keptPasswordPolicy },
  'Policies.PasswordPolicy.PasswordHistorySize':    { omitted: 'kept',  source: 'model' },
  'Policies.SignInPolicy':                          { omitted: 'kept',  source: 'measured' },
  MfaConfiguration:                                 { omitted: 'kept',  source: 'measured' },
  DeletionProtection:                               { omitted: 'kept',  source: 'model' },
  AutoVerifiedAttributes:                           { omitted: 'reset', source: 'measured' },
  UserAttributeUpdateSettings:                      { omitted: 'kept',  source: 'model',    keep: keptUpdateSettings, note: 'without the attributes that are no longer verified automatically' },
  SmsVerificationMessage:                           { omitted: 'reset', source: 'text' },
  EmailVerificationMessage:                         { omitted: 'reset', source: 'text' },
  EmailVerificationSubject:                         { omitted: 'reset', source: 'text' },
  VerificationMessageTemplate:                      { omitted: 'reset', source: 'text' },
  SmsAuthenticationMessage:                         { omitted: 'reset', source: 'text' },
  DeviceConfiguration:                              { omitted: 'reset', source: 'text' },
  EmailConfiguration:                               { omitted: 'reset', source: 'text' },
  SmsConfiguration:                                 { omitted: 'reset', source: 'text' },
  'SmsConfiguration.SnsRegion':                     { omitted: 'kept',  source: 'model',    keep: keptRegion },
  'SmsConfiguration.EumsSms':                       { omitted: 'kept',  source: 'model',    keep: keptEums, note: 'unless SnsCallerArn is given' },
  LambdaConfig:                                     { omitted: 'reset', source: 'text' },
  'LambdaConfig.PreTokenGenerationConfig':          { omitted: 'kept',  source: 'model',    keep: keptPreToken, note: 'while PreTokenGeneration names the same function' },
  'LambdaConfig.InboundFederation':                 { omitted: 'kept',  source: 'model' },
  UserPoolTags:                                     { omitted: 'reset', source: 'text' },
  AdminCreateUserConfig:                            { omitted: 'reset', source: 'text' },
  UserPoolAddOns:                                   { omitted: 'reset', source: 'text' },
  'UserPoolAddOns.AdvancedSecurityAdditionalFlows': { omitted: 'kept',  source: 'model' },
  AccountRecoverySetting:                           { omitted: 'reset', source: 'text' },
  DcrConfiguration:                                 { omitted: 'kept',  source: 'text' },
  UserPoolTier:                                     { omitted: 'kept',  source: 'model' },
  KeyConfiguration:                                 { omitted: 'kept',  source: 'measured' },
  IssuerConfiguration:                              { omitted: 'kept',  source: 'measured' },
  AcrConfiguration:                                 { omitted: 'kept',  source: 'model' },
})

/** UpdateUserPoolDomain. */
// biome-ignore format: a table
export const DOMAIN_ROWS = omittedRows<UpdateUserPoolDomainCommandInput>()({
  ManagedLoginVersion:                 { omitted: 'kept', source: 'model' },
  CustomDomainConfig:                  { omitted: 'kept', source: 'text' },
  'CustomDomainConfig.SecurityPolicy': { omitted: 'kept', source: 'model' },
  Routing:                             { omitted: 'kept', source: 'model' },
})

/** SetUserPoolMfaConfig replaces the second factors. */
// biome-ignore format: a table
export const MFA_ROWS = omittedRows<SetUserPoolMfaConfigCommandInput>()({
  MfaConfiguration:                              { omitted: 'reset', source: 'measured', note: 'to OFF' },
  SmsMfaConfiguration:                           { omitted: 'reset', source: 'measured', note: 'SmsConfiguration, which UpdateUserPool also sets, and the text of the message are kept' },
  SoftwareTokenMfaConfiguration:                 { omitted: 'reset', source: 'measured' },
  EmailMfaConfiguration:                         { omitted: 'reset', source: 'measured' },
  'SmsMfaConfiguration.SmsConfiguration.EumsSms': { omitted: 'kept',  source: 'model',    keep: keptMfaEums, note: 'unless SnsCallerArn is given' },
  WebAuthnConfiguration:                         { omitted: 'kept',  source: 'model' },
  'WebAuthnConfiguration.FactorConfiguration':   { omitted: 'kept',  source: 'model' },
})

function keptPolicies<T extends { PasswordPolicy?: PasswordPolicyType }>(
  present: T,
  given: UpdateUserPoolCommandInput,
) {
  return { ...present, PasswordPolicy: present.PasswordPolicy && keptPasswordPolicy(present.PasswordPolicy, given) }
}

/** The validity of temporary passwords also has a legacy member; a caller that gives only that one changes the policy. */
function keptPasswordPolicy(
  { TemporaryPasswordValidityDays: days, ...present }: PasswordPolicyType,
  { AdminCreateUserConfig }: UpdateUserPoolCommandInput,
): PasswordPolicyType {
  return { ...present, TemporaryPasswordValidityDays: AdminCreateUserConfig?.UnusedAccountValidityDays || days }
}

function keptUpdateSettings(
  { AttributesRequireVerificationBeforeUpdate: present = [] }: UserAttributeUpdateSettingsType,
  { AutoVerifiedAttributes = [] }: UpdateUserPoolCommandInput,
): UserAttributeUpdateSettingsType {
  return {
    AttributesRequireVerificationBeforeUpdate: present.filter((name) => AutoVerifiedAttributes.includes(name)),
  }
}

function keptPreToken(
  present: NonNullable<LambdaConfigType['PreTokenGenerationConfig']>,
  { LambdaConfig }: UpdateUserPoolCommandInput,
) {
  return LambdaConfig?.PreTokenGeneration === present.LambdaArn ? present : undefined
}
