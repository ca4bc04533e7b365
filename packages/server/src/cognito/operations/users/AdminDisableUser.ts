import { setEnabled } from '../../../identity/users/administration.ts'
import type { UserCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminDisableUser: Handler<'AdminDisableUser', UserCall> = async (context, call) => {
  await setEnabled(context, call, { sub: call.sub, enabled: false })
  return {}
}
