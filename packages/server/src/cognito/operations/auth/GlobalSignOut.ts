import { signOutEverywhere } from '../../../identity/sessions/sign-out.ts'
import type { TokenCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const GlobalSignOut: Handler<'GlobalSignOut', TokenCall> = async (context, call) => {
  const { user, claims } = call
  const origin = claims.origin_jti ?? claims.event_id
  await signOutEverywhere(context, call, { sub: user.sub, how: 'user', origin })
  return {}
}
