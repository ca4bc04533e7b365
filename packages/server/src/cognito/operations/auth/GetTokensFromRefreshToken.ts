import { beginRefresh } from '../../../identity/sign-in/begin.ts'
import type { ClientCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'
import { tokensOutput } from './step-output.ts'

export const GetTokensFromRefreshToken: Handler<'GetTokensFromRefreshToken', ClientCall> = async (
  context,
  call,
  { RefreshToken, ClientSecret },
) => ({
  AuthenticationResult: tokensOutput(
    await beginRefresh(context, call, { token: RefreshToken, clientSecret: ClientSecret }),
  ),
})
