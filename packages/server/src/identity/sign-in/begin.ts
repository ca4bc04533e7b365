import type { AuthFlowType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import type { OpenClient } from '../../directory/open-pool.ts'
import { CognitoError, invalidParameter } from '../../errors.ts'
import { rotates } from '../../tokens/lifetimes.ts'
import { allowsFlow, type FlowRight } from './flows.ts'
import { signInByPassword } from './password.ts'
import { refreshByFlow, refreshByToken } from './refresh.ts'
import { beginSrpSignIn } from './srp.ts'
import type { Parameters, Step, TokensStep } from './step.ts'

type Begin = (
  context: Context,
  openClient: OpenClient,
  call: { flow: string; parameters: Parameters; wantsSession: boolean },
) => Promise<Step>

interface FlowRow {
  /** Whether calls with this flow must be signed, or must not be. Undefined: either. */
  signed: boolean | undefined
  right: FlowRight
  /** Error message for a client without the right. */
  refusal: string
  /** Undefined: not implemented yet. */
  begin: Begin | undefined
}

const REFUSAL = 'Auth flow not enabled for this client'

/** The flows, and the right that enables each. https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flows-selection-sdk.html */
// biome-ignore format: a table
const flows: Readonly<Record<AuthFlowType, FlowRow>> = {
  USER_SRP_AUTH:            { signed: undefined, right: 'ALLOW_USER_SRP_AUTH',            refusal: REFUSAL,                                               begin: beginSrpSignIn },
  USER_PASSWORD_AUTH:       { signed: false,     right: 'ALLOW_USER_PASSWORD_AUTH',       refusal: 'USER_PASSWORD_AUTH flow not enabled for this client', begin: signInByPassword },
  ADMIN_USER_PASSWORD_AUTH: { signed: true,      right: 'ALLOW_ADMIN_USER_PASSWORD_AUTH', refusal: REFUSAL,                                               begin: signInByPassword },
  ADMIN_NO_SRP_AUTH:        { signed: true,      right: 'ALLOW_ADMIN_USER_PASSWORD_AUTH', refusal: REFUSAL,                                               begin: signInByPassword },
  REFRESH_TOKEN_AUTH:       { signed: undefined, right: 'ALLOW_REFRESH_TOKEN_AUTH',       refusal: REFUSAL,                                               begin: refreshByFlow },
  REFRESH_TOKEN:            { signed: undefined, right: 'ALLOW_REFRESH_TOKEN_AUTH',       refusal: REFUSAL,                                               begin: refreshByFlow },
  CUSTOM_AUTH:              { signed: undefined, right: 'ALLOW_CUSTOM_AUTH',              refusal: 'CUSTOM_AUTH is not enabled for the client.',          begin: undefined },
  USER_AUTH:                { signed: undefined, right: 'ALLOW_USER_AUTH',                refusal: REFUSAL,                                               begin: undefined },
}

/**
 * Begins a sign-in, or refreshes tokens. `signed`: whether the call is signed, that is, an administrator's. `wantsSession`: whether
 * the call has a `Session`, so that the client also expects one where the challenge does not need it.
 *
 * @throws InvalidParameterException for a flow that the client or the call may not use, and the errors of the flow
 */
export async function beginSignIn(
  context: Context,
  openClient: OpenClient,
  {
    flow,
    parameters,
    signed,
    wantsSession,
  }: { flow: AuthFlowType; parameters: Parameters; signed: boolean; wantsSession: boolean },
): Promise<Step> {
  const row = flows[flow]
  if (row.signed !== undefined && row.signed !== signed) throw invalidParameter('Initiate Auth method not supported')
  if (flow === 'USER_AUTH' && openClient.pool.document.UserPoolTier === 'LITE') {
    throw new CognitoError('FeatureUnavailableInTierException', 'USER_AUTH is not available in the LITE tier.')
  }
  if (!allowsFlow(openClient.client, row.right)) throw invalidParameter(row.refusal)
  const { begin } = row
  if (!begin) throw new CognitoError('NotImplementedException', `${flow} is not implemented yet.`)
  return begin(context, openClient, { flow, parameters, wantsSession })
}

/** GetTokensFromRefreshToken: always allowed for clients with rotation; others need ALLOW_REFRESH_TOKEN_AUTH. */
export async function beginRefresh(
  context: Context,
  openClient: OpenClient,
  call: { token: string; clientSecret: string | undefined },
): Promise<TokensStep> {
  if (!rotates(openClient.client) && !allowsFlow(openClient.client, 'ALLOW_REFRESH_TOKEN_AUTH'))
    throw invalidParameter(REFUSAL)
  return refreshByToken(context, openClient, call)
}
