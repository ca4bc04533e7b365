import { respondToChallenge } from '../../../identity/sign-in/respond.ts'
import type { ClientCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'
import { stepOutput } from './step-output.ts'

export const RespondToAuthChallenge: Handler<'RespondToAuthChallenge', ClientCall> = async (
  context,
  call,
  { ChallengeName, Session, ChallengeResponses = {} },
) =>
  stepOutput(
    await respondToChallenge(context, call, {
      challenge: ChallengeName,
      session: Session,
      responses: ChallengeResponses,
    }),
  )
