import { checkSecretHash } from '../../../identity/clients/secret-hash.ts'
import { resendCode } from '../../../identity/users/sign-up.ts'
import type { ClientCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const ResendConfirmationCode: Handler<'ResendConfirmationCode', ClientCall> = async (context, call, input) => {
  checkSecretHash(call, call.client, input.Username, input.SecretHash)
  return { CodeDeliveryDetails: await resendCode(context, call, call.client, input.Username) }
}
