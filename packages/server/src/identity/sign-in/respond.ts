import type { Context } from '../../context.ts'
import type { OpenClient } from '../../directory/open-pool.ts'
import { CognitoError } from '../../errors.ts'
import { reportFailure } from './begin.ts'
import { respondToNewPassword } from './new-password.ts'
import { respondToPasswordVerifier } from './srp.ts'
import type { ChallengeName, Parameters, Step } from './step.ts'

type Answer = (
  context: Context,
  openClient: OpenClient,
  answer: { session: string | undefined; responses: Parameters },
) => Promise<Step>

const answers: Readonly<Record<ChallengeName, Answer>> = {
  PASSWORD_VERIFIER: respondToPasswordVerifier,
  NEW_PASSWORD_REQUIRED: respondToNewPassword,
}

const isKnown = (challenge: string): challenge is ChallengeName => Object.hasOwn(answers, challenge)

/** Takes the answer to a challenge, whichever region asked it, and says what comes next. */
export async function respondToChallenge(
  context: Context,
  openClient: OpenClient,
  { challenge, session, responses }: { challenge: string; session: string | undefined; responses: Parameters },
): Promise<Step> {
  if (!isKnown(challenge)) {
    throw new CognitoError('NotImplementedException', `The challenge ${challenge} is not implemented yet.`)
  }
  return reportFailure(context, openClient, () => answers[challenge](context, openClient, { session, responses }))
}
