import type { UpdateUserPoolClientCommandInput } from '@aws-sdk/client-cognito-identity-provider'
import { omittedRows } from '../omitted.ts'

function keptRotation<T>(present: T, { ExplicitAuthFlows }: UpdateUserPoolClientCommandInput): T | undefined {
  return ExplicitAuthFlows?.includes('ALLOW_REFRESH_TOKEN_AUTH') ? undefined : present
}

/**
 * UpdateUserPoolClient.
 * https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPoolClient.html
 */
// biome-ignore format: a table
export const CLIENT_ROWS = omittedRows<UpdateUserPoolClientCommandInput>()({
  ClientName:                               { omitted: 'kept',  source: 'text' },
  RefreshTokenValidity:                     { omitted: 'reset', source: 'text' },
  AccessTokenValidity:                      { omitted: 'reset', source: 'text' },
  IdTokenValidity:                          { omitted: 'reset', source: 'text' },
  TokenValidityUnits:                       { omitted: 'reset', source: 'text' },
  ReadAttributes:                           { omitted: 'reset', source: 'text' },
  WriteAttributes:                          { omitted: 'reset', source: 'text' },
  ExplicitAuthFlows:                        { omitted: 'reset', source: 'text' },
  SupportedIdentityProviders:               { omitted: 'reset', source: 'text' },
  CallbackURLs:                             { omitted: 'reset', source: 'text' },
  LogoutURLs:                               { omitted: 'reset', source: 'text' },
  DefaultRedirectURI:                       { omitted: 'reset', source: 'text' },
  AllowedOAuthFlows:                        { omitted: 'reset', source: 'text' },
  AllowedOAuthScopes:                       { omitted: 'reset', source: 'text' },
  AllowedOAuthFlowsUserPoolClient:          { omitted: 'reset', source: 'text' },
  AnalyticsConfiguration:                   { omitted: 'reset', source: 'text' },
  PreventUserExistenceErrors:               { omitted: 'reset', source: 'text' },
  EnableTokenRevocation:                    { omitted: 'kept',  source: 'model' },
  EnablePropagateAdditionalUserContextData: { omitted: 'kept',  source: 'model' },
  AuthSessionValidity:                      { omitted: 'kept',  source: 'model' },
  RefreshTokenRotation:                     { omitted: 'kept',  source: 'model', keep: keptRotation, note: 'unless ExplicitAuthFlows has ALLOW_REFRESH_TOKEN_AUTH' },
})
