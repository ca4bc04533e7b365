import { respondToChallenge } from '../../../identity/sign-in/respond.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'
import { stepOutput, withClient } from './step-output.ts'

export const AdminRespondToAuthChallenge: Handler<'AdminRespondToAuthChallenge', PoolCall> = async (
  context,
  call,
  { ClientId, ChallengeName, Session, ChallengeResponses = {} },
) => {
  const openPool = await withClient(context, call, ClientId)
  return stepOutput(
    await respondToChallenge(context, openPool, {
      challenge: ChallengeName,
      session: Session,
      responses: ChallengeResponses,
    }),
  )
}
