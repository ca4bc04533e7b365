import { getUser } from '../../../directory/user.ts'
import { removalOf } from '../../../identity/users/attributes.ts'
import { updateAttributes } from '../../../identity/users/verification.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminDeleteUserAttributes: Handler<'AdminDeleteUserAttributes', PoolCall> = async (
  context,
  call,
  input,
) => {
  const { sub } = await getUser(context.store, call, input.Username)
  await updateAttributes(context, call, { sub, list: removalOf(input.UserAttributeNames), writer: 'administrator' })
  return {}
}
