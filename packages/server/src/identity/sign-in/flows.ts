import type { ExplicitAuthFlowsType } from '@aws-sdk/client-cognito-identity-provider'
import type { Client } from '../../directory/client.ts'

/** The values of ExplicitAuthFlows, without the legacy ones. */
export type FlowRight = Extract<ExplicitAuthFlowsType, `ALLOW_${string}`>

const DEFAULT: readonly FlowRight[] = ['ALLOW_REFRESH_TOKEN_AUTH', 'ALLOW_USER_SRP_AUTH', 'ALLOW_CUSTOM_AUTH']

/**
 * Whether a flow is enabled for a client. Clients with legacy values (without `ALLOW_`) always have SRP, custom
 * authentication and refresh; CUSTOM_AUTH_FLOW_ONLY disables SRP.
 * https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html#CognitoUserPools-CreateUserPoolClient-request-ExplicitAuthFlows
 */
export function allowsFlow({ document }: Pick<Client, 'document'>, right: FlowRight): boolean {
  const listed = document.ExplicitAuthFlows
  if (!listed || listed.length === 0) return DEFAULT.includes(right)
  if (listed.some((name) => name.startsWith('ALLOW_'))) return listed.includes(right)
  switch (right) {
    case 'ALLOW_REFRESH_TOKEN_AUTH':
    case 'ALLOW_CUSTOM_AUTH':
      return true
    case 'ALLOW_USER_SRP_AUTH':
      return !listed.includes('CUSTOM_AUTH_FLOW_ONLY')
    case 'ALLOW_USER_PASSWORD_AUTH':
      return listed.includes('USER_PASSWORD_AUTH')
    case 'ALLOW_ADMIN_USER_PASSWORD_AUTH':
      return listed.includes('ADMIN_NO_SRP_AUTH')
    default:
      return false
  }
}
