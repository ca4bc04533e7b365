import { updateAttributes } from '../../../identity/users/verification.ts'
import type { TokenCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const UpdateUserAttributes: Handler<'UpdateUserAttributes', TokenCall> = async (context, call, input) => {
  const { client: writer } = call
  const list = input.UserAttributes
  const { user } = call
  const change = { sub: user.sub, list, writer, limitedBy: user }
  return { CodeDeliveryDetailsList: await updateAttributes(context, call, change) }
}
