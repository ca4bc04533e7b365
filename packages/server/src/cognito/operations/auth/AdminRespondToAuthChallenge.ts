import { answerChallenge } from '../../../identity/sign-in/respond.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'
import { describeStep, withClient } from './step-description.ts'

export const AdminRespondToAuthChallenge: Handler<'AdminRespondToAuthChallenge', PoolCall> = async (
  context,
  call,
  { ClientId, ChallengeName, Session, ChallengeResponses = {} },
) => {
  const clientCall = await withClient(context, call, ClientId)
  return describeStep(
    await answerChallenge(context, clientCall, {
      challenge: ChallengeName,
      session: Session,
      responses: ChallengeResponses,
    }),
  )
}
