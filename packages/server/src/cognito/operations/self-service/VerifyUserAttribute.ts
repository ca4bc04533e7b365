import { finishVerification } from '../../../identity/users/verification.ts'
import type { TokenCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const VerifyUserAttribute: Handler<'VerifyUserAttribute', TokenCall> = async (context, call, input) => {
  await finishVerification(context, call, call.user, { name: input.AttributeName, code: input.Code })
  return {}
}
