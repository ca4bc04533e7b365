import { signOutEverywhere } from '../../../identity/sessions/sign-out.ts'
import type { UserCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminUserGlobalSignOut: Handler<'AdminUserGlobalSignOut', UserCall> = async (context, call) => {
  await signOutEverywhere(context, call, { sub: call.sub, how: 'admin' })
  return {}
}
