import { revokeToken } from '../../../identity/sessions/revoke-token.ts'
import type { ClientCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const RevokeToken: Handler<'RevokeToken', ClientCall> = async (context, call, { Token, ClientSecret }) => {
  await revokeToken(context, call, { token: Token, clientSecret: ClientSecret })
  return {}
}
