import { removalOf } from '../../../identity/attributes.ts'
import { getUser } from '../../../identity/user.ts'
import { updateAttributes } from '../../../identity/verification.ts'
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
