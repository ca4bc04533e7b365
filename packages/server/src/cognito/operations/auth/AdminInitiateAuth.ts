import { beginSignIn } from '../../../identity/sign-in/begin.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'
import { describeStep, withClient } from './step-description.ts'

export const AdminInitiateAuth: Handler<'AdminInitiateAuth', PoolCall> = async (
  context,
  call,
  { ClientId, AuthFlow, AuthParameters = {}, Session },
) => {
  const clientCall = await withClient(context, call, ClientId)
  return describeStep(
    await beginSignIn(context, clientCall, {
      flow: AuthFlow,
      parameters: AuthParameters,
      signed: true,
      wantsSession: Session !== undefined,
    }),
  )
}
