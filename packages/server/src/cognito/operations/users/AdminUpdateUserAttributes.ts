import { getUser } from '../../../directory/user.ts'
import { updateAttributes } from '../../../identity/users/verification.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminUpdateUserAttributes: Handler<'AdminUpdateUserAttributes', PoolCall> = async (
  context,
  call,
  input,
) => {
  const { sub } = await getUser(context.store, call, input.Username)
  await updateAttributes(context, call, { sub, list: input.UserAttributes, writer: 'administrator' })
  return {}
}
