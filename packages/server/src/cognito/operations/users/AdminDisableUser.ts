import { getUser } from '../../../directory/user.ts'
import { setEnabled } from '../../../identity/users/administration.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminDisableUser: Handler<'AdminDisableUser', PoolCall> = async (context, call, input) => {
  const { sub } = await getUser(context.store, call, input.Username)
  await setEnabled(context, call, { sub, enabled: false })
  return {}
}
