import { updateAttributes } from '../../../identity/users/verification.ts'
import type { TokenCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const UpdateUserAttributes: Handler<'UpdateUserAttributes', TokenCall> = async (context, call, input) => {
  const { client: writer } = call
  const list = input.UserAttributes
  return { CodeDeliveryDetailsList: await updateAttributes(context, call, { sub: call.user.sub, list, writer }) }
}
