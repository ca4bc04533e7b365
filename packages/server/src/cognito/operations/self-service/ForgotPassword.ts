import { checkSecretHash } from '../../../identity/clients/secret-hash.ts'
import { startRecovery } from '../../../identity/credentials/recovery.ts'
import type { ClientCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const ForgotPassword: Handler<'ForgotPassword', ClientCall> = async (context, call, input) => {
  checkSecretHash(call, call.client, input.Username, input.SecretHash)
  return { CodeDeliveryDetails: await startRecovery(context, call, call.client, input.Username) }
}
