/**
 * The members that callers with older models of the API know, by the inputs of updates: such a caller neither reads nor sends any
 * other. Taken from the type declarations of @aws-sdk/client-cognito-identity-provider: 3.0.0 (December 2020), the first release of
 * the v3 line; and 3.940.0 (November 2025), whose model is also that of botocore 1.41.
 */
export type Known = true | { readonly [member: string]: Known }

type Operation = 'UpdateUserPool' | 'UpdateUserPoolClient' | 'SetUserPoolMfaConfig' | 'UpdateUserPoolDomain'
type Model = Record<Operation, Known>

const FIRST_SDK = {
  UpdateUserPool: {
    Policies: {
      PasswordPolicy: {
        MinimumLength: true,
        RequireUppercase: true,
        RequireLowercase: true,
        RequireNumbers: true,
        RequireSymbols: true,
        TemporaryPasswordValidityDays: true,
      },
    },
    LambdaConfig: {
      PreSignUp: true,
      CustomMessage: true,
      PostConfirmation: true,
      PreAuthentication: true,
      PostAuthentication: true,
      DefineAuthChallenge: true,
      CreateAuthChallenge: true,
      VerifyAuthChallengeResponse: true,
      PreTokenGeneration: true,
      UserMigration: true,
      CustomSMSSender: { LambdaVersion: true, LambdaArn: true },
      CustomEmailSender: { LambdaVersion: true, LambdaArn: true },
      KMSKeyID: true,
    },
    AutoVerifiedAttributes: true,
    SmsVerificationMessage: true,
    EmailVerificationMessage: true,
    EmailVerificationSubject: true,
    VerificationMessageTemplate: {
      SmsMessage: true,
      EmailMessage: true,
      EmailSubject: true,
      EmailMessageByLink: true,
      EmailSubjectByLink: true,
      DefaultEmailOption: true,
    },
    SmsAuthenticationMessage: true,
    MfaConfiguration: true,
    DeviceConfiguration: { ChallengeRequiredOnNewDevice: true, DeviceOnlyRememberedOnUserPrompt: true },
    EmailConfiguration: {
      SourceArn: true,
      ReplyToEmailAddress: true,
      EmailSendingAccount: true,
      From: true,
      ConfigurationSet: true,
    },
    SmsConfiguration: { SnsCallerArn: true, ExternalId: true },
    AdminCreateUserConfig: {
      AllowAdminCreateUserOnly: true,
      UnusedAccountValidityDays: true,
      InviteMessageTemplate: { SMSMessage: true, EmailMessage: true, EmailSubject: true },
    },
    UserPoolAddOns: { AdvancedSecurityMode: true },
    AccountRecoverySetting: { RecoveryMechanisms: { Priority: true, Name: true } },
    UserPoolTags: true,
  },
  UpdateUserPoolClient: {
    ClientName: true,
    RefreshTokenValidity: true,
    AccessTokenValidity: true,
    IdTokenValidity: true,
    TokenValidityUnits: { AccessToken: true, IdToken: true, RefreshToken: true },
    ReadAttributes: true,
    WriteAttributes: true,
    ExplicitAuthFlows: true,
    SupportedIdentityProviders: true,
    CallbackURLs: true,
    LogoutURLs: true,
    DefaultRedirectURI: true,
    AllowedOAuthFlows: true,
    AllowedOAuthScopes: true,
    AllowedOAuthFlowsUserPoolClient: true,
    AnalyticsConfiguration: {
      ApplicationId: true,
      ApplicationArn: true,
      RoleArn: true,
      ExternalId: true,
      UserDataShared: true,
    },
    PreventUserExistenceErrors: true,
  },
  SetUserPoolMfaConfig: {
    SmsMfaConfiguration: { SmsAuthenticationMessage: true, SmsConfiguration: { SnsCallerArn: true, ExternalId: true } },
    SoftwareTokenMfaConfiguration: { Enabled: true },
    MfaConfiguration: true,
  },
  UpdateUserPoolDomain: { CustomDomainConfig: { CertificateArn: true } },
} satisfies Model

const YEAR_OLD_MODEL = {
  UpdateUserPool: {
    Policies: {
      PasswordPolicy: {
        MinimumLength: true,
        RequireUppercase: true,
        RequireLowercase: true,
        RequireNumbers: true,
        RequireSymbols: true,
        PasswordHistorySize: true,
        TemporaryPasswordValidityDays: true,
      },
      SignInPolicy: { AllowedFirstAuthFactors: true },
    },
    DeletionProtection: true,
    LambdaConfig: {
      PreSignUp: true,
      CustomMessage: true,
      PostConfirmation: true,
      PreAuthentication: true,
      PostAuthentication: true,
      DefineAuthChallenge: true,
      CreateAuthChallenge: true,
      VerifyAuthChallengeResponse: true,
      PreTokenGeneration: true,
      UserMigration: true,
      PreTokenGenerationConfig: { LambdaVersion: true, LambdaArn: true },
      CustomSMSSender: { LambdaVersion: true, LambdaArn: true },
      CustomEmailSender: { LambdaVersion: true, LambdaArn: true },
      KMSKeyID: true,
    },
    AutoVerifiedAttributes: true,
    SmsVerificationMessage: true,
    EmailVerificationMessage: true,
    EmailVerificationSubject: true,
    VerificationMessageTemplate: {
      SmsMessage: true,
      EmailMessage: true,
      EmailSubject: true,
      EmailMessageByLink: true,
      EmailSubjectByLink: true,
      DefaultEmailOption: true,
    },
    SmsAuthenticationMessage: true,
    UserAttributeUpdateSettings: { AttributesRequireVerificationBeforeUpdate: true },
    MfaConfiguration: true,
    DeviceConfiguration: { ChallengeRequiredOnNewDevice: true, DeviceOnlyRememberedOnUserPrompt: true },
    EmailConfiguration: {
      SourceArn: true,
      ReplyToEmailAddress: true,
      EmailSendingAccount: true,
      From: true,
      ConfigurationSet: true,
    },
    SmsConfiguration: { SnsCallerArn: true, ExternalId: true, SnsRegion: true },
    UserPoolTags: true,
    AdminCreateUserConfig: {
      AllowAdminCreateUserOnly: true,
      UnusedAccountValidityDays: true,
      InviteMessageTemplate: { SMSMessage: true, EmailMessage: true, EmailSubject: true },
    },
    UserPoolAddOns: { AdvancedSecurityMode: true, AdvancedSecurityAdditionalFlows: { CustomAuthMode: true } },
    AccountRecoverySetting: { RecoveryMechanisms: { Priority: true, Name: true } },
    PoolName: true,
    UserPoolTier: true,
  },
  UpdateUserPoolClient: {
    ClientName: true,
    RefreshTokenValidity: true,
    AccessTokenValidity: true,
    IdTokenValidity: true,
    TokenValidityUnits: { AccessToken: true, IdToken: true, RefreshToken: true },
    ReadAttributes: true,
    WriteAttributes: true,
    ExplicitAuthFlows: true,
    SupportedIdentityProviders: true,
    CallbackURLs: true,
    LogoutURLs: true,
    DefaultRedirectURI: true,
    AllowedOAuthFlows: true,
    AllowedOAuthScopes: true,
    AllowedOAuthFlowsUserPoolClient: true,
    AnalyticsConfiguration: {
      ApplicationId: true,
      ApplicationArn: true,
      RoleArn: true,
      ExternalId: true,
      UserDataShared: true,
    },
    PreventUserExistenceErrors: true,
    EnableTokenRevocation: true,
    EnablePropagateAdditionalUserContextData: true,
    AuthSessionValidity: true,
    RefreshTokenRotation: { Feature: true, RetryGracePeriodSeconds: true },
  },
  SetUserPoolMfaConfig: {
    SmsMfaConfiguration: {
      SmsAuthenticationMessage: true,
      SmsConfiguration: { SnsCallerArn: true, ExternalId: true, SnsRegion: true },
    },
    SoftwareTokenMfaConfiguration: { Enabled: true },
    EmailMfaConfiguration: { Message: true, Subject: true },
    MfaConfiguration: true,
    WebAuthnConfiguration: { RelyingPartyId: true, UserVerification: true },
  },
  UpdateUserPoolDomain: { ManagedLoginVersion: true, CustomDomainConfig: { CertificateArn: true } },
} satisfies Model

export const olderModels: Readonly<Record<string, Model>> = {
  'the first SDK of the v3 line': FIRST_SDK,
  'the model of November 2025': YEAR_OLD_MODEL,
}

/** The part of a value that a caller knows; lists are of structures or of values. */
export function knownPart<T>(value: T, known: Known): T {
  if (known === true || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((entry) => knownPart(entry, known)) as T
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => {
      const part = known[name]
      return part === undefined ? [] : [[name, knownPart(inner, part)]]
    }),
  ) as T
}
