import {
  type CognitoIdentityProviderClient,
  InitiateAuthCommand,
  RespondToAuthChallengeCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { SrpClient } from './pools.ts'

/** Signs in by SRP; the response to the challenge goes to the given region. */
export async function srpSignIn({
  cognito,
  finishIn = cognito,
  pool,
  client,
  username,
  password,
}: {
  cognito: CognitoIdentityProviderClient
  finishIn?: CognitoIdentityProviderClient
  pool: string
  client: string
  username: string
  password: string
}) {
  const srp = new SrpClient(pool)
  const { ChallengeParameters = {}, Session } = await cognito.send(
    new InitiateAuthCommand({
      ClientId: client,
      AuthFlow: 'USER_SRP_AUTH',
      AuthParameters: { USERNAME: username, SRP_A: srp.A },
    }),
  )
  return finishIn.send(
    new RespondToAuthChallengeCommand({
      ClientId: client,
      ChallengeName: 'PASSWORD_VERIFIER',
      Session,
      ChallengeResponses: srp.answer(ChallengeParameters, password),
    }),
  )
}
