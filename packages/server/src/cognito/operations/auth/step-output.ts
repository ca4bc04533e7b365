import type { Context } from '../../../context.ts'
import { CognitoError } from '../../../errors.ts'
import type { Step, TokensStep } from '../../../identity/sign-in/step.ts'
import type { ClientCall, PoolCall } from '../../callers.ts'
import type { Output } from '../../types.ts'

/** A step of a sign-in as the API answers it. https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_InitiateAuth.html */
export function stepOutput(step: Step): Output<'InitiateAuth'> {
  if (step.kind === 'challenge') {
    return { ChallengeName: step.challenge, ChallengeParameters: step.parameters, Session: step.session }
  }
  return { AuthenticationResult: tokensOutput(step), ChallengeParameters: {} }
}

export function tokensOutput({ accessToken, idToken, refreshToken, expiresInSeconds }: TokensStep) {
  return {
    AccessToken: accessToken,
    ExpiresIn: expiresInSeconds,
    TokenType: 'Bearer',
    ...(refreshToken !== undefined && { RefreshToken: refreshToken }),
    IdToken: idToken,
  }
}

/** A signed call names a pool and a client of it. Throws ResourceNotFoundException. */
export async function withClient({ pools }: Pick<Context, 'pools'>, call: PoolCall, id: string): Promise<ClientCall> {
  const client = await pools.getClient(id)
  if (client.pool !== call.pool.id) {
    throw new CognitoError('ResourceNotFoundException', `User pool client ${id} does not exist.`)
  }
  return { ...call, client }
}
