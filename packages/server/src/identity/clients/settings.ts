import type {
  CreateUserPoolClientCommandInput,
  UpdateUserPoolClientCommandInput,
} from '@aws-sdk/client-cognito-identity-provider'
import type { ClientDocument } from '../../directory/client.ts'
import type { Pool } from '../../directory/pool.ts'
import { CognitoError, invalidParameter } from '../../errors.ts'
import { DEFAULT_REFRESH_SECONDS, MAX_ACCESS_SECONDS, UNIT_SECONDS } from '../../tokens/lifetimes.ts'
import { allowsRegistration, checkTier, distinct } from '../pools/settings.ts'
import { checkAttributeRights } from './attribute-rights.ts'
import { isRedirectUrl } from './redirect-url.ts'

/** The settings that CreateUserPoolClient and UpdateUserPoolClient replace. */
export type ClientSettings = Omit<ClientDocument, 'created' | 'modified' | 'secrets' | 'ClientType'>

type ClientInput = Omit<
  CreateUserPoolClientCommandInput & UpdateUserPoolClientCommandInput,
  'UserPoolId' | 'ClientId' | 'ClientName' | 'GenerateSecret' | 'ClientSecret'
>

export interface ClientSettingsContext {
  pool: Pool
  hasSecret: boolean
  /** Names of the pool's identity providers, without `COGNITO`. */
  providers: readonly string[]
  /** The custom scopes of the pool's resource servers, each as `<server>/<scope>`. */
  scopes: readonly string[]
  /** A word in error messages. */
  operation: 'creating' | 'updating'
}

/**
 * Parses and checks the settings of an app client. Absent members get their defaults; an update has filled in the members that it
 * keeps (omitted.ts). Throws InvalidParameterException, InvalidOAuthFlowException, ScopeDoesNotExistException,
 * FeatureUnavailableInTierException.
 * https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html
 */
export function parseClientSettings(
  input: ClientInput & { ClientName: string },
  context: ClientSettingsContext,
): ClientSettings {
  checkAuthFlows(input, context)
  checkProviders(input, context)
  checkRedirects(input)
  checkOAuth(input, context)
  checkAttributeRights(input, context)
  checkAnalytics(input)
  if (input.EnablePropagateAdditionalUserContextData && !context.hasSecret) {
    throw invalidParameter('EnablePropagateAdditionalUserContextData can be set only for a client with a secret.')
  }
  return {
    ClientName: input.ClientName,
    ...parseValidity(input),
    ReadAttributes: distinct('ReadAttributes', input.ReadAttributes),
    WriteAttributes: distinct('WriteAttributes', input.WriteAttributes),
    ExplicitAuthFlows: input.ExplicitAuthFlows,
    SupportedIdentityProviders: distinct('SupportedIdentityProviders', input.SupportedIdentityProviders),
    CallbackURLs: distinct('CallbackURLs', input.CallbackURLs),
    LogoutURLs: distinct('LogoutURLs', input.LogoutURLs),
    DefaultRedirectURI: input.DefaultRedirectURI,
    AllowedOAuthFlows: distinct('AllowedOAuthFlows', input.AllowedOAuthFlows),
    AllowedOAuthScopes: distinct('AllowedOAuthScopes', input.AllowedOAuthScopes),
    AllowedOAuthFlowsUserPoolClient: input.AllowedOAuthFlowsUserPoolClient ?? false,
    AnalyticsConfiguration: input.AnalyticsConfiguration,
    PreventUserExistenceErrors: input.PreventUserExistenceErrors ?? 'LEGACY',
    EnableTokenRevocation: input.EnableTokenRevocation ?? true,
    EnablePropagateAdditionalUserContextData: input.EnablePropagateAdditionalUserContextData ?? false,
    AuthSessionValidity: input.AuthSessionValidity ?? 3,
    RefreshTokenRotation: input.RefreshTokenRotation,
  }
}

const LEGACY_FLOWS: readonly string[] = ['ADMIN_NO_SRP_AUTH', 'CUSTOM_AUTH_FLOW_ONLY', 'USER_PASSWORD_AUTH']

function checkAuthFlows(
  { ExplicitAuthFlows: flows, RefreshTokenRotation }: ClientInput,
  { pool }: ClientSettingsContext,
): void {
  distinct('ExplicitAuthFlows', flows)
  const names: readonly string[] = flows ?? []
  const legacy = names.filter((flow) => LEGACY_FLOWS.includes(flow))
  if (legacy.length > 0 && legacy.length < names.length) {
    throw invalidParameter('ExplicitAuthFlows cannot mix legacy values with values that begin with ALLOW_.')
  }
  if (names.includes('ALLOW_CLIENT_TOKEN_AUTH') && names.length > 1) {
    throw invalidParameter('ALLOW_CLIENT_TOKEN_AUTH cannot be combined with other flows.')
  }
  if (RefreshTokenRotation?.Feature === 'ENABLED' && names.includes('ALLOW_REFRESH_TOKEN_AUTH')) {
    throw invalidParameter('ALLOW_REFRESH_TOKEN_AUTH cannot be enabled together with refresh token rotation.')
  }
  checkTier(pool.document.UserPoolTier ?? 'ESSENTIALS', [
    ['ESSENTIALS', names.includes('ALLOW_USER_AUTH'), 'Choice-based sign-in'],
  ])
}

const ACCESS_RANGE = { min: 300, max: MAX_ACCESS_SECONDS }
const REFRESH_RANGE = { min: 3_600, max: 315_360_000 }

/** RefreshTokenValidity defaults to 30 days, also for 0; the default is rendered in the requested unit. */
function parseValidity({ TokenValidityUnits: units = {}, ...input }: ClientInput) {
  const refreshUnit = UNIT_SECONDS[units.RefreshToken ?? 'days']
  const RefreshTokenValidity = input.RefreshTokenValidity || DEFAULT_REFRESH_SECONDS / refreshUnit
  checkLifetime(RefreshTokenValidity * refreshUnit, REFRESH_RANGE)
  for (const [validity, unit] of [
    [input.AccessTokenValidity, units.AccessToken],
    [input.IdTokenValidity, units.IdToken],
  ] as const) {
    if (validity !== undefined) checkLifetime(validity * UNIT_SECONDS[unit ?? 'hours'], ACCESS_RANGE)
  }
  return {
    RefreshTokenValidity,
    AccessTokenValidity: input.AccessTokenValidity,
    IdTokenValidity: input.IdTokenValidity,
    TokenValidityUnits: units,
  }
}

function checkLifetime(seconds: number, { min, max }: { min: number; max: number }): void {
  if (seconds < min || seconds > max) throw invalidParameter('Invalid range for token validity.')
}

function checkProviders(
  { SupportedIdentityProviders = [] }: ClientInput,
  { pool, providers }: ClientSettingsContext,
): void {
  const unknown = SupportedIdentityProviders.find((name) => name !== 'COGNITO' && !providers.includes(name))
  if (unknown) throw invalidParameter(`The provider ${unknown} does not exist for User Pool ${pool.id}.`)
}

function checkRedirects({ CallbackURLs = [], LogoutURLs = [], DefaultRedirectURI }: ClientInput): void {
  const refused = [...CallbackURLs, ...LogoutURLs].find((url) => !isRedirectUrl(url))
  if (refused !== undefined) {
    throw invalidParameter(
      refused.toLowerCase().startsWith('http:') && !refused.includes('#')
        ? `${refused} cannot use the HTTP protocol.`
        : `${refused} is not a valid redirect URL: it must be absolute and have no fragment.`,
    )
  }
  if (DefaultRedirectURI !== undefined && !CallbackURLs.includes(DefaultRedirectURI)) {
    throw invalidParameter('DefaultRedirectURI must be in the list of CallbackURLs.')
  }
}

/** The scope for dynamic client registration. https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_DcrConfigurationType.html */
const REGISTRATION_SCOPE = 'aws.cognito/dcr/register'

const STANDARD_SCOPES = ['openid', 'email', 'phone', 'profile', 'aws.cognito.signin.user.admin']

function checkOAuth(
  {
    AllowedOAuthFlows: flows = [],
    AllowedOAuthScopes: scopes = [],
    AllowedOAuthFlowsUserPoolClient,
    CallbackURLs = [],
  }: ClientInput,
  context: ClientSettingsContext,
): void {
  if (AllowedOAuthFlowsUserPoolClient && (flows.length === 0 || scopes.length === 0)) {
    throw badFlow(
      'AllowedOAuthFlows and AllowedOAuthScopes are required if user pool client is allowed to use OAuth flows.',
    )
  }
  const own = allowsRegistration(context.pool.document) ? [...context.scopes, REGISTRATION_SCOPE] : context.scopes
  const unknown = scopes.find((scope) => !STANDARD_SCOPES.includes(scope) && !own.includes(scope))
  if (unknown !== undefined) throw new CognitoError('ScopeDoesNotExistException', `Invalid scope: ${unknown}`)
  if (flows.includes('client_credentials')) {
    if (flows.length > 1)
      throw badFlow('client_credentials flow can not be selected along with code flow or implicit flow.')
    if (!context.hasSecret)
      throw badFlow('client_credentials flow can not be selected if client does not have a client secret.')
    if (scopes.some((scope) => STANDARD_SCOPES.includes(scope))) {
      throw badFlow('client_credentials flow can be selected only with custom scopes.')
    }
  } else if (AllowedOAuthFlowsUserPoolClient && CallbackURLs.length === 0) {
    throw badFlow('At least one callback URL is required for the code flow and the implicit flow.')
  }
}

function checkAnalytics({ AnalyticsConfiguration: given }: ClientInput): void {
  if (!given) return
  const { ApplicationArn, ApplicationId, RoleArn, ExternalId } = given
  if ((ApplicationArn === undefined) === (ApplicationId === undefined)) {
    throw invalidParameter('AnalyticsConfiguration needs either ApplicationArn or ApplicationId.')
  }
  if (ApplicationId !== undefined && (RoleArn === undefined || ExternalId === undefined)) {
    throw invalidParameter('AnalyticsConfiguration with ApplicationId needs RoleArn and ExternalId.')
  }
}

const badFlow = (message: string): CognitoError => new CognitoError('InvalidOAuthFlowException', message)
