import { removalOf } from '../../../identity/users/attributes.ts'
import { updateAttributes } from '../../../identity/users/verification.ts'
import type { UserCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminDeleteUserAttributes: Handler<'AdminDeleteUserAttributes', UserCall> = async (
  context,
  call,
  input,
) => {
  await updateAttributes(context, call, {
    sub: call.sub,
    list: removalOf(input.UserAttributeNames),
    writer: 'administrator',
  })
  return {}
}
