import { setPasswordByAdministrator } from '../../../identity/users/administration.ts'
import type { UserCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminSetUserPassword: Handler<'AdminSetUserPassword', UserCall> = async (context, call, input) => {
  await setPasswordByAdministrator(context, call, {
    sub: call.sub,
    password: input.Password,
    permanent: input.Permanent ?? false,
  })
  return {}
}
