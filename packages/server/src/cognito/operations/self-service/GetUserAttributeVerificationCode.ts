import { startVerification } from '../../../identity/users/verification.ts'
import type { TokenCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const GetUserAttributeVerificationCode: Handler<'GetUserAttributeVerificationCode', TokenCall> = async (
  context,
  call,
  input,
) => ({ CodeDeliveryDetails: await startVerification(context, call, call.user, input.AttributeName) })
