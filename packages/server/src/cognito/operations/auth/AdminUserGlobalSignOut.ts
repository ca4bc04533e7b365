import { getUser } from '../../../directory/user.ts'
import { signOutEverywhere } from '../../../identity/sessions/sign-out.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminUserGlobalSignOut: Handler<'AdminUserGlobalSignOut', PoolCall> = async (
  context,
  call,
  { Username },
) => {
  const { sub } = await getUser(context.store, call, Username)
  await signOutEverywhere(context, call, { sub, how: 'admin' })
  return {}
}
