import { removalOf } from '../../../identity/users/attributes.ts'
import { updateAttributes } from '../../../identity/users/verification.ts'
import type { TokenCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const DeleteUserAttributes: Handler<'DeleteUserAttributes', TokenCall> = async (context, call, input) => {
  const { client: writer } = call
  await updateAttributes(context, call, { sub: call.user.sub, list: removalOf(input.UserAttributeNames), writer })
  return {}
}
