import { changePassword } from '../../../identity/credentials/recovery.ts'
import type { TokenCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const ChangePassword: Handler<'ChangePassword', TokenCall> = async (context, call, input) => {
  const { PreviousPassword: previous, ProposedPassword: proposed } = input
  await changePassword(context, call, call.user, { previous, proposed })
  return {}
}
