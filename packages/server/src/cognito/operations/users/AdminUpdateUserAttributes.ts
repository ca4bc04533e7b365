import { updateAttributes } from '../../../identity/users/verification.ts'
import type { UserCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminUpdateUserAttributes: Handler<'AdminUpdateUserAttributes', UserCall> = async (
  context,
  call,
  input,
) => {
  await updateAttributes(context, call, { sub: call.sub, list: input.UserAttributes, writer: 'administrator' })
  return {}
}
