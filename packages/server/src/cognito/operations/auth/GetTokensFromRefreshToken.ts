import { beginRefresh } from '../../../identity/sign-in/begin.ts'
import type { ClientCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'
import { describeTokens } from './step-description.ts'

export const GetTokensFromRefreshToken: Handler<'GetTokensFromRefreshToken', ClientCall> = async (
  context,
  call,
  { RefreshToken, ClientSecret },
) => ({
  AuthenticationResult: describeTokens(
    await beginRefresh(context, call, { token: RefreshToken, clientSecret: ClientSecret }),
  ),
})
