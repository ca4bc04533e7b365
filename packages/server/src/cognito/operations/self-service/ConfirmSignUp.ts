import { checkSecretHash } from '../../../identity/clients/secret-hash.ts'
import { confirmSignUp } from '../../../identity/users/sign-up.ts'
import type { ClientCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const ConfirmSignUp: Handler<'ConfirmSignUp', ClientCall> = async (context, call, input) => {
  const { Username: name, ConfirmationCode: code, ForceAliasCreation: force = false } = input
  checkSecretHash(call, call.client, name, input.SecretHash)
  await confirmSignUp(context, call, call.client, { name, code, force })
  return {}
}
