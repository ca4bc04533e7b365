import { signOutEverywhere } from '../../../identity/sign-out.ts'
import type { TokenCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const GlobalSignOut: Handler<'GlobalSignOut', TokenCall> = async (context, call) => {
  await signOutEverywhere(context, call, { sub: call.user.sub, how: 'user' })
  return {}
}
