import { beginSignIn } from '../../../identity/sign-in/begin.ts'
import type { ClientCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'
import { describeStep } from './step-description.ts'

export const InitiateAuth: Handler<'InitiateAuth', ClientCall> = async (
  context,
  call,
  { AuthFlow, AuthParameters = {}, Session },
) =>
  describeStep(
    await beginSignIn(context, call, {
      flow: AuthFlow,
      parameters: AuthParameters,
      signed: false,
      wantsSession: Session !== undefined,
    }),
  )
