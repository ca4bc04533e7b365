import { setEnabled } from '../../../identity/administration.ts'
import { getUser } from '../../../identity/user.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminDisableUser: Handler<'AdminDisableUser', PoolCall> = async (context, call, input) => {
  const { sub } = await getUser(context.store, call, input.Username)
  await setEnabled(context, call, { sub, enabled: false })
  return {}
}
