import type { Context } from '../../../context.ts'
import { toHex } from '../../../identity/credentials/srp.ts'
import type { ChallengeStep, Step, TokensStep } from '../../../identity/sign-in/step.ts'
import type { ClientCall, PoolCall } from '../../callers.ts'
import type { Output } from '../../types.ts'

/** A step of a sign-in as the API returns it. https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_InitiateAuth.html */
export function describeStep(step: Step): Output<'InitiateAuth'> {
  if (step.kind === 'tokens') return { AuthenticationResult: describeTokens(step), ChallengeParameters: {} }
  return {
    ChallengeName: step.challenge,
    ChallengeParameters: challengeParameters(step),
    ...(step.session !== undefined && { Session: step.session }),
  }
}

function challengeParameters(step: ChallengeStep): Record<string, string> {
  switch (step.challenge) {
    case 'PASSWORD_VERIFIER':
      return {
        SALT: toHex(step.salt),
        SECRET_BLOCK: step.secretBlock.toString('base64'),
        SRP_B: toHex(step.B),
        USERNAME: step.username,
        USER_ID_FOR_SRP: step.username,
      }
    case 'NEW_PASSWORD_REQUIRED':
      return {
        USER_ID_FOR_SRP: step.username,
        userAttributes: JSON.stringify(Object.fromEntries(step.attributes.map(({ Name, Value }) => [Name, Value]))),
        requiredAttributes: JSON.stringify(step.missing.map((name) => `userAttributes.${name}`)),
      }
  }
}

export function describeTokens({ accessToken, idToken, refreshToken, expiresInSeconds }: TokensStep) {
  return {
    AccessToken: accessToken,
    ExpiresIn: expiresInSeconds,
    TokenType: 'Bearer',
    ...(refreshToken !== undefined && { RefreshToken: refreshToken }),
    IdToken: idToken,
  }
}

/** Adds the client that a signed call names beside its pool. Throws ResourceNotFoundException. */
export async function withClient({ pools }: Pick<Context, 'pools'>, call: PoolCall, id: string): Promise<ClientCall> {
  return { ...call, client: await pools.getClientOf(call.pool, id) }
}
