/**
 * Lengths, ranges and patterns of the API's inputs, which the JavaScript SDK does not ship. Maintained by hand from the API
 * reference (https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/); enum values come from the SDK.
 *
 * A pattern is kept exactly as AWS writes it, because error messages repeat it. It is compiled to a JavaScript regular
 * expression that must match the whole value. `means` replaces it where that expression would take more than linear time,
 * or where the service accepts more values than the pattern.
 */
import type { Constraint, Constraints, Enums } from '../aws/shapes.ts'
import { MAX_SEALED_CHARACTERS } from '../base64.ts'

const { raw } = String

const range = (min: number, max?: number): Constraint => ({ min, max })

// In Java, \s and \S are ASCII only; in JavaScript they are not.
const space = raw`\t\n\v\f\r `

function text(
  min: number,
  max: number | undefined,
  pattern?: string,
  means?: RegExp | ((value: string) => boolean),
): Constraint {
  if (pattern === undefined) return { min, max }
  const compiled =
    means ?? new RegExp(`^(?:${pattern.replaceAll(raw`[\S]`, `[^${space}]`).replaceAll(raw`\s`, space)})$`, 'u')
  return { min, max, pattern, matches: typeof compiled === 'function' ? compiled : (value) => compiled.test(value) }
}

const visible = raw`[\p{L}\p{M}\p{S}\p{N}\p{P}]+`
const name = raw`[\w\s+=,.@-]+`
const uuid = raw`^[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-4[a-fA-F0-9]{3}-[89aAbB][a-fA-F0-9]{3}-[a-fA-F0-9]{12}$`
const resourceName = raw`([\w+=/,.@-]*)?:[0-9]+:[\w+=/,.@-]+(:[\w+=/,.@-]+)?(:[\w+=/,.@-]+)?`
const message = raw`[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*`

const isMessage = new RegExp(`^[\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}${space}]*$`, 'u')
const isVisible = new RegExp(`^${visible}$`, 'u')

const arn = text(20, 2048, raw`arn:[\w+=/,.@-]+:[\w+=/,.@-]+:${resourceName}`)
const attributeName = text(1, 32, visible)
const clientName = text(1, 128, name)
// A presented secret may be wrong and of any length; a secret that is set has at least 24 characters.
const presentedSecret = text(1, 64, raw`[\w+]+`)
const code = text(1, 2048, raw`[\S]+`)
const emailMessage = text(
  6,
  20000,
  raw`${message}\{####\}${message}`,
  (value) => value.includes('{####}') && isMessage.test(value),
)
const emailMessageByLink = text(6, 20000, raw`${message}\{##${message}##\}${message}`, (value) => {
  const start = value.indexOf('{##')
  return start >= 0 && value.indexOf('##}', start + 3) >= 0 && isMessage.test(value)
})
const emailSubject = text(1, 140, raw`[\p{L}\p{M}\p{S}\p{N}\p{P}\s]+`)
const notificationBody = text(6, 20000, raw`[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]+`)
const identifier = raw`[\x21\x23-\x5B\x5D-\x7E]+`
const idpIdentifier = text(1, 40, raw`[\w\s+=.@-]+`)
// The model says [\S]+, but the password policy counts inner spaces as symbols: only the first and last character must not be blank.
const isPassword = new RegExp(`^[^${space}](?:[^]*[^${space}])?$`, 'u')
const password = text(0, 256, raw`[\S]+`, isPassword)
// "To create a user with no password, omit this parameter or submit a blank value."
const passwordOrNone = text(0, 256, raw`[\S]+`, (value) => value === '' || isPassword.test(value))
const permission = range(1, 2048)
const providerName = text(1, 32, visible)
const region = range(5, 32)
const redirectUrl = text(1, 1024, visible)
const scope = text(1, 256, identifier)
const smsMessage = text(6, 140, raw`.*\{####\}.*`, (value) => value.includes('{####}') && /^.*$/u.test(value))
const tagKey = range(1, 128)
const token = text(0, MAX_SEALED_CHARACTERS, raw`[A-Za-z0-9-_=.]+`)

/** The constraint of strings that have no other one (StringType in the model). */
export const unconstrained: Constraint = { max: 131_072 }

/** The size of lists and maps that have no other constraint. A user has fewer than 80 attributes. */
export const unconstrainedSize = range(0, 200)

/** Documented values that are missing from the SDK's enums. */
export const enumAdditions: Enums = { ExplicitAuthFlowsType: ['ALLOW_CLIENT_TOKEN_AUTH'] }

/** Secret members that the SDK does not mark: codes, passkey responses, device verifiers, client secrets of providers. */
export const sensitiveMembers = [
  'Code',
  'ConfirmationCode',
  'Credential',
  'DeviceSecretVerifierConfig',
  'ProviderDetails',
]

export const constraints: Constraints = {
  // Pools
  UserPoolId: text(1, 55, raw`[\w-]+_[0-9a-zA-Z]+`),
  PoolName: clientName,
  'CreateUserPoolRequest.Schema': range(1, 50),
  'AddCustomAttributesRequest.CustomAttributes': range(1, 25),
  'SchemaAttributeType.Name': text(1, 20, visible),
  'PasswordPolicyType.MinimumLength': range(6, 99),
  'PasswordPolicyType.PasswordHistorySize': range(0, 24),
  'PasswordPolicyType.TemporaryPasswordValidityDays': range(0, 365),
  'SignInPolicyType.AllowedFirstAuthFactors': range(1, 5),
  'AdminCreateUserConfigType.UnusedAccountValidityDays': range(0, 365),
  'RecoveryOptionType.Priority': range(1, 2),
  'AccountRecoverySettingType.RecoveryMechanisms': range(1, 2),
  'KeyConfigurationType.KmsKeyArn': arn,
  'AcrLevelConfigType.AcrValue': range(1, 64),
  'CreateUserPoolRequest.AcrConfiguration{key}': text(6, 6, 'Level[1-4]'),
  'UpdateUserPoolRequest.AcrConfiguration{key}': text(6, 6, 'Level[1-4]'),
  'UserPoolTokenSessionConfigType.MaxPerUser': range(1, 100),
  'ClientSSOSessionConfigType.MaxValidityMinutes': range(0, 129_600),

  // Messages
  SmsVerificationMessage: smsMessage,
  SmsAuthenticationMessage: smsMessage,
  'MessageTemplateType.SMSMessage': smsMessage,
  'VerificationMessageTemplateType.SmsMessage': smsMessage,
  EmailVerificationMessage: emailMessage,
  EmailMessage: emailMessage,
  EmailMessageByLink: emailMessageByLink,
  EmailVerificationSubject: emailSubject,
  EmailSubject: emailSubject,
  EmailSubjectByLink: emailSubject,
  'EmailMfaConfigType.Message': emailMessage,
  'EmailMfaConfigType.Subject': emailSubject,
  'NotifyEmailType.Subject': emailSubject,
  'NotifyEmailType.HtmlBody': notificationBody,
  'NotifyEmailType.TextBody': notificationBody,
  'EmailConfigurationType.ReplyToEmailAddress': text(0, 131_072, raw`${visible}@${visible}`, (value) => {
    const at = value.indexOf('@', 1)
    return at > 0 && at < value.length - 1 && isVisible.test(value)
  }),
  'EmailConfigurationType.ConfigurationSet': text(1, 64, raw`^[a-zA-Z0-9_-]+$`),

  // Names of other resources
  SourceArn: arn,
  RoleArn: arn,
  LambdaArn: arn,
  ResourceArn: arn,
  CertificateArn: arn,
  LogGroupArn: arn,
  StreamArn: arn,
  BucketArn: text(3, 1024, raw`arn:[\w+=/,.@-]+:[\w+=/,.@-]+:::[\w+=/,.@-]+(:[\w+=/,.@-]+)?(:[\w+=/,.@-]+)?`),
  CloudWatchLogsRoleArn: arn,
  'LambdaConfigType.KMSKeyID': arn,
  'LambdaConfigType.PreSignUp': arn,
  'LambdaConfigType.CustomMessage': arn,
  'LambdaConfigType.PostConfirmation': arn,
  'LambdaConfigType.PreAuthentication': arn,
  'LambdaConfigType.PostAuthentication': arn,
  'LambdaConfigType.DefineAuthChallenge': arn,
  'LambdaConfigType.CreateAuthChallenge': arn,
  'LambdaConfigType.VerifyAuthChallengeResponse': arn,
  'LambdaConfigType.PreTokenGeneration': arn,
  'LambdaConfigType.UserMigration': arn,
  'SmsConfigurationType.SnsCallerArn': arn,
  'SmsConfigurationType.SnsRegion': region,
  'EumsSmsConfigurationType.CallerArn': arn,
  'EumsSmsConfigurationType.Region': region,
  'AnalyticsConfigurationType.ApplicationArn': arn,
  'AnalyticsConfigurationType.ApplicationId': text(0, 131_072, raw`^[0-9a-fA-F]+$`),

  // Replicas and domains
  RegionName: region,
  'FailoverType.SecondaryRegion': region,
  'FailoverType.PrimaryRoute53HealthCheckId': range(1, 64),
  // The documented pattern has no dots, but this member carries custom domains too. identity/pools/domains.ts
  // distinguishes prefixes from custom domains and checks the characters of a prefix.
  Domain: text(1, 63, raw`^[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?$`, /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/u),
  ManagedLoginVersion: range(1, 2),

  // Clients
  ClientId: text(1, 128, raw`[\w+]+`),
  ClientName: clientName,
  ClientSecret: presentedSecret,
  'GetClientTokenRequest.Secret': presentedSecret,
  'CreateUserPoolClientRequest.ClientSecret': text(24, 64, raw`[\w+]+`),
  'AddUserPoolClientSecretRequest.ClientSecret': text(24, 64, raw`[\w+]+`),
  ClientSecretId: text(1, 256, raw`[\S]+`),
  AccessTokenValidity: range(1, 86_400),
  IdTokenValidity: range(1, 86_400),
  RefreshTokenValidity: range(0, 315_360_000),
  AuthSessionValidity: range(3, 15),
  RetryGracePeriodSeconds: range(0, 60),
  CallbackURLs: range(0, 100),
  'CallbackURLs[]': redirectUrl,
  LogoutURLs: range(0, 100),
  'LogoutURLs[]': redirectUrl,
  DefaultRedirectURI: redirectUrl,
  AllowedOAuthFlows: range(0, 3),
  AllowedOAuthScopes: range(0, 50),
  'AllowedOAuthScopes[]': scope,
  'DcrConfigurationType.AllowedScopes': range(0, 50),
  'DcrConfigurationType.AllowedScopes[]': scope,
  'GetClientTokenRequest.Scopes': range(0, 50),
  'GetClientTokenRequest.Scopes[]': scope,
  'ReadAttributes[]': permission,
  'WriteAttributes[]': permission,
  'SupportedIdentityProviders[]': providerName,

  // Users
  Username: text(1, 128, visible),
  Password: password,
  'SignUpRequest.Password': passwordOrNone,
  TemporaryPassword: passwordOrNone,
  PreviousPassword: password,
  ProposedPassword: password,
  SecretHash: text(1, 128, raw`[\w+=/]+`),
  ConfirmationCode: code,
  'VerifyUserAttributeRequest.Code': code,
  UserCode: text(6, 6, '[0-9]+'),
  'AttributeType.Name': attributeName,
  'AttributeType.Value': range(0, 2048),
  AttributeName: attributeName,
  'UserAttributeNames[]': attributeName,
  'ListUsersRequest.AttributesToGet[]': attributeName,
  'ListUsersRequest.Filter': range(0, 256),

  // Tokens, sessions, devices
  AccessToken: token,
  RefreshToken: token,
  FeedbackToken: token,
  'RevokeTokenRequest.Token': token,
  Session: range(20, 2048),
  SessionId: text(1, 64, '[0-9a-z]+'),
  DeviceKey: text(1, 55, raw`[\w-]+_[0-9a-f-]+`),
  DeviceName: range(1, 1024),
  'WebAuthnConfigurationType.RelyingPartyId': range(1, 127),

  // Groups
  GroupName: text(1, 128, visible),
  'CreateGroupRequest.Description': range(0, 2048),
  'UpdateGroupRequest.Description': range(0, 2048),
  Precedence: range(0),

  // Resource servers
  Identifier: text(1, 256, identifier),
  'CreateResourceServerRequest.Name': text(1, 256, name),
  'UpdateResourceServerRequest.Name': text(1, 256, name),
  'CreateResourceServerRequest.Scopes': range(0, 100),
  'UpdateResourceServerRequest.Scopes': range(0, 100),
  ScopeName: text(1, 256, raw`[\x21\x23-\x2E\x30-\x5B\x5D-\x7E]+`),
  ScopeDescription: range(1, 256),

  // Identity providers
  ProviderName: providerName,
  'CreateIdentityProviderRequest.ProviderName': text(1, 32, raw`[^_\p{Z}][\p{L}\p{M}\p{S}\p{N}\p{P}]*`),
  IdpIdentifier: idpIdentifier,
  IdpIdentifiers: range(0, 50),
  'IdpIdentifiers[]': idpIdentifier,
  'AttributeMapping{key}': range(1, 32),

  // Branding and terms
  ManagedLoginBrandingId: text(1, 36, uuid),
  Assets: range(0, 40),
  'AssetType.Bytes': range(0, 1_000_000),
  'AssetType.ResourceId': text(1, 40, raw`^[\w\- ]+$`),
  'SetUICustomizationRequest.ImageFile': range(0, 131_072),
  TermsId: text(1, 36, uuid),
  TermsName: text(1, 256, '^(terms-of-use|privacy-policy)$'),
  'Links{value}': redirectUrl,

  // Import, risk, logs, limits
  JobName: clientName,
  JobId: text(1, 55, raw`import-[0-9a-zA-Z-]+`),
  BlockedIPRangeList: range(0, 200),
  SkippedIPRangeList: range(0, 200),
  EventId: text(1, 50, raw`[\w+-]+`),
  LogConfigurations: range(0, 2),
  RequestedLimitValue: range(0),

  // Tags
  'UserPoolTags{key}': tagKey,
  'UserPoolTags{value}': range(0, 256),
  'TagResourceRequest.Tags{key}': tagKey,
  'TagResourceRequest.Tags{value}': range(0, 256),
  'TagKeys[]': tagKey,

  // Pagination
  NextToken: text(1, 131_072, raw`[\S]+`),
  PaginationToken: text(1, 131_072, raw`[\S]+`),
  Limit: range(0, 60),
  'AdminListUserAuthEventsRequest.MaxResults': range(0, 60),
  'ListIdentityProvidersRequest.MaxResults': range(0, 60),
  'ListResourceServersRequest.MaxResults': range(1, 50),
  'ListTermsRequest.MaxResults': range(1, 60),
  'ListUserImportJobsRequest.MaxResults': range(1, 60),
  'ListUserPoolClientsRequest.MaxResults': range(1, 60),
  'ListUserPoolsRequest.MaxResults': range(1, 60),
  'ListWebAuthnCredentialsRequest.MaxResults': range(0, 20),
}
