import { answerChallenge } from '../../../identity/sign-in/respond.ts'
import type { ClientCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'
import { describeStep } from './step-description.ts'

export const RespondToAuthChallenge: Handler<'RespondToAuthChallenge', ClientCall> = async (
  context,
  call,
  { ChallengeName, Session, ChallengeResponses = {} },
) =>
  describeStep(
    await answerChallenge(context, call, { challenge: ChallengeName, session: Session, responses: ChallengeResponses }),
  )
