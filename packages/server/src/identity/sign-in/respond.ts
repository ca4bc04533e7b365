import type { Context } from '../../context.ts'
import type { OpenClient } from '../../directory/open-pool.ts'
import { CognitoError } from '../../errors.ts'
import { respondToNewPassword } from './new-password.ts'
import { respondToPasswordVerifier } from './srp.ts'
import type { ChallengeName, Parameters, Step } from './step.ts'

type Respond = (
  context: Context,
  openClient: OpenClient,
  call: { session: string | undefined; responses: Parameters },
) => Promise<Step>

const challenges: Readonly<Record<ChallengeName, Respond>> = {
  PASSWORD_VERIFIER: respondToPasswordVerifier,
  NEW_PASSWORD_REQUIRED: respondToNewPassword,
}

const isKnown = (challenge: string): challenge is ChallengeName => Object.hasOwn(challenges, challenge)

/** Handles the response to a challenge, which any region of the pool may have issued; returns the next step. */
export async function respondToChallenge(
  context: Context,
  openClient: OpenClient,
  { challenge, session, responses }: { challenge: string; session: string | undefined; responses: Parameters },
): Promise<Step> {
  if (!isKnown(challenge)) {
    throw new CognitoError('NotImplementedException', `The challenge ${challenge} is not implemented yet.`)
  }
  return challenges[challenge](context, openClient, { session, responses })
}
