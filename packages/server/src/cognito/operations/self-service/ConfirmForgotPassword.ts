import { checkSecretHash } from '../../../identity/clients/secret-hash.ts'
import { finishRecovery } from '../../../identity/credentials/recovery.ts'
import type { ClientCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const ConfirmForgotPassword: Handler<'ConfirmForgotPassword', ClientCall> = async (context, call, input) => {
  const { Username: name, ConfirmationCode: code, Password: password } = input
  checkSecretHash(call, call.client, name, input.SecretHash)
  await finishRecovery(context, call, call.client, { name, code, password })
  return {}
}
