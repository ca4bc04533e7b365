import type { Context } from '../../context.ts'
import type { OpenClient } from '../../directory/open-pool.ts'
import { CognitoError } from '../../errors.ts'
import { tellingFailure } from './begin.ts'
import { answerNewPassword } from './new-password.ts'
import { answerPasswordVerifier } from './srp.ts'
import type { ChallengeName, Parameters, Step } from './step.ts'

type Answer = (
  context: Context,
  openClient: OpenClient,
  answer: { session: string | undefined; responses: Parameters },
) => Promise<Step>

const answers: Readonly<Record<ChallengeName, Answer>> = {
  PASSWORD_VERIFIER: answerPasswordVerifier,
  NEW_PASSWORD_REQUIRED: answerNewPassword,
}

const isKnown = (challenge: string): challenge is ChallengeName => Object.hasOwn(answers, challenge)

/** Takes the answer to a challenge, whichever region asked it, and says what comes next. */
export async function answerChallenge(
  context: Context,
  openClient: OpenClient,
  { challenge, session, responses }: { challenge: string; session: string | undefined; responses: Parameters },
): Promise<Step> {
  if (!isKnown(challenge)) {
    throw new CognitoError('NotImplementedException', `The challenge ${challenge} is not implemented yet.`)
  }
  return tellingFailure(context, openClient, () => answers[challenge](context, openClient, { session, responses }))
}
