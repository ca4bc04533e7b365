/**
 * The differences between the documented examples and this service, by name, each with its reason. The list is exact: a difference
 * that is not listed fails the test, and so does a listed one that no longer exists.
 */
import type { OperationName } from '@twinpool/server/internal/cognito/shapes.generated'

export interface Differences {
  /**
   * The example presumes this operation, which is not implemented, or an option of the CLI that changes the output: it is not
   * played.
   */
  presumes?: OperationName | '--query'
  /** Members of the input that this service refuses, in the order of the refusals, the values given instead, and why. */
  input?: Record<string, { instead?: unknown; why: string }>
  /** Differences of the output, as comparison.ts names them, and why. */
  output?: Record<string, string>
}

const NEWER = 'the member is newer than the example; the service returns it'
const DEFAULT = 'the default, which newer examples show'
const CONTRADICTION = 'the example contradicts its own input'
const DEVICES = 'devices are not implemented'
const PROVIDERS = { why: 'identity providers cannot be created yet' }
const MASK = 'another example shows the form `a***@e***`, which measurements confirm'
const HIDDEN = 'an internal name of AWS'
const VERSION = 'the version of the pages, which newer examples show'

const TOTP: Differences = { presumes: 'VerifySoftwareToken' }

const newerPool = {
  'UserPool.AcrConfiguration (added)': NEWER,
  'UserPool.IssuerConfiguration (added)': NEWER,
  'UserPool.KeyConfiguration (added)': NEWER,
  'UserPool.Policies.SignInPolicy (added)': NEWER,
  'UserPool.UserPoolTier (added)': NEWER,
}

const barePool = {
  ...newerPool,
  'UserPool.AccountRecoverySetting (added)': DEFAULT,
  'UserPool.Arn (added)': NEWER,
  'UserPool.DeletionProtection (added)': DEFAULT,
  'UserPool.EmailConfiguration.EmailSendingAccount (added)': DEFAULT,
  'UserPool.Policies.PasswordPolicy.TemporaryPasswordValidityDays (added)': DEFAULT,
  'UserPool.SchemaAttributes[identities] (added)': DEFAULT,
  'UserPool.UserAttributeUpdateSettings (added)': DEFAULT,
  'UserPool.UserPoolTags (added)': DEFAULT,
  'UserPool.VerificationMessageTemplate (added)': DEFAULT,
}

export const differences: Record<string, Differences> = {
  'SDK CreateUserPool: Example user pool with email and username sign-in': {
    output: {
      ...newerPool,
      'UserPool.LambdaConfig.KMSKeyID (other value)': CONTRADICTION,
      'UserPool.LambdaConfig.PreTokenGenerationConfig (added)': 'another example shows it beside PreTokenGeneration',
      'UserPool.SchemaAttributes[identities] (added)': DEFAULT,
      'UserPool.SchemaAttributes[phone_number_verifie] (missing)': 'a misspelling of phone_number_verified',
      'UserPool.SchemaAttributes[phone_number_verified] (added)': 'a misspelling of phone_number_verified',
      'UserPool.UserPoolTags.my-test-tag-key (other value)': CONTRADICTION,
    },
  },
  'SDK CreateUserPoolClient: Example user pool app client with email and username sign-in': {
    input: { SupportedIdentityProviders: PROVIDERS },
    output: {
      'UserPoolClient.ClientType (added)': NEWER,
      'UserPoolClient.SupportedIdentityProviders (missing)': PROVIDERS.why,
    },
  },
  'SDK InitiateAuth: Example username and password sign-in for a user who has TOTP MFA': TOTP,
  'CLI AdminGetUser: To get a user': {
    output: { 'UserAttributes[phone_number].Value (other value)': 'the number of the example is not in E.164 format' },
  },
  'CLI AdminInitiateAuth: To sign in a user as an admin': TOTP,
  'CLI AdminRespondToAuthChallenge: To respond to an authentication challenge': TOTP,
  'CLI CreateUserPool: To create a minimally configured user pool': { output: barePool },
  'CLI CreateUserPool: To create a user pool with two required attributes': { output: barePool },
  'CLI CreateUserPoolClient: To create a user pool client': {
    input: {
      SupportedIdentityProviders: PROVIDERS,
      AllowedOAuthScopes: {
        instead: ['openid', 'profile', 'aws.cognito.signin.user.admin'],
        why: 'resource servers cannot be created yet',
      },
    },
    output: {
      'UserPoolClient.AllowedOAuthScopes[solar-system-data/asteroids.add] (missing)':
        'resource servers cannot be created yet',
      'UserPoolClient.AnalyticsConfiguration.ApplicationArn (other value)': CONTRADICTION,
      'UserPoolClient.AnalyticsConfiguration.RoleArn (missing)': 'a role that AWS creates',
      'UserPoolClient.ClientType (added)': NEWER,
      'UserPoolClient.SupportedIdentityProviders (missing)': PROVIDERS.why,
    },
  },
  'CLI CreateUserPoolDomain: Example 1: To create a user pool domain': {
    output: { 'ManagedLoginVersion (added)': VERSION },
  },
  'CLI DescribeUserPool: To describe a user pool': {
    output: {
      ...newerPool,
      'UserPool.Domain (missing)': 'the prefix of the example has capitals, which the API refuses',
    },
  },
  'CLI DescribeUserPoolClient: To describe a user pool client': {
    output: {
      'UserPoolClient.AuthSessionValidity (added)': NEWER,
      'UserPoolClient.ClientType (added)': NEWER,
      'UserPoolClient.EnablePropagateAdditionalUserContextData (added)': NEWER,
      'UserPoolClient.EnableTokenRevocation (added)': NEWER,
      'UserPoolClient.PreventUserExistenceErrors (added)': NEWER,
      'UserPoolClient.TokenValidityUnits (added)': NEWER,
    },
  },
  'CLI DescribeUserPoolDomain: To describe a user pool client': {
    output: {
      'DomainDescription.AWSAccountId (other value)': 'the account of this plane',
      'DomainDescription.CloudFrontDistribution (missing)': HIDDEN,
      'DomainDescription.ManagedLoginVersion (added)': VERSION,
      'DomainDescription.S3Bucket (missing)': HIDDEN,
    },
  },
  'CLI ForgotPassword: To force a password change': {
    output: { 'CodeDeliveryDetails.Destination (other value)': MASK },
  },
  'CLI GetUser: To get the details of the current user': {
    output: { 'UserAttributes[identities] (missing)': 'federation is not implemented' },
  },
  'CLI InitiateAuth: To sign in a user': {
    output: {
      'AuthenticationResult.NewDeviceMetadata (missing)': DEVICES,
      'ChallengeParameters (added)': 'other examples show it empty beside the tokens',
    },
  },
  'CLI ListUserPools: To list user pools': {
    output: {
      'UserPools[user pool 1].ReplicaRegions (added)': NEWER,
      'UserPools[user pool 2].ReplicaRegions (added)': NEWER,
      'UserPools[user pool 3].ReplicaRegions (added)': NEWER,
    },
  },
  'CLI ListUsers: Example 2: To list users with a client-side filter': { presumes: '--query' },
  'CLI ResendConfirmationCode: To resend a confirmation code': {
    output: { 'CodeDeliveryDetails.Destination (other value)': MASK },
  },
  'CLI RespondToAuthChallenge: Example 1: To respond to a NEW_PASSWORD_REQUIRED challenge': {
    output: { 'AuthenticationResult.NewDeviceMetadata (missing)': DEVICES },
  },
  'CLI RespondToAuthChallenge: Example 2: To respond to a SELECT_MFA_TYPE challenge': TOTP,
  'CLI RespondToAuthChallenge: Example 3: To respond to a SOFTWARE_TOKEN_MFA challenge': TOTP,
  'CLI UpdateUserPoolClient: To update an app client': {
    input: { SupportedIdentityProviders: { ...PROVIDERS, instead: ['COGNITO'] } },
    output: {
      'UserPoolClient.ClientType (added)': NEWER,
      'UserPoolClient.SupportedIdentityProviders[Google] (missing)': PROVIDERS.why,
      'UserPoolClient.SupportedIdentityProviders[MySAML] (missing)': PROVIDERS.why,
    },
  },
}
