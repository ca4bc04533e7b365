import { checkSecretHash } from '../../../identity/clients/secret-hash.ts'
import { signUp } from '../../../identity/users/sign-up.ts'
import type { ClientCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const SignUp: Handler<'SignUp', ClientCall> = async (context, call, input) => {
  const { Username: name, Password: password, UserAttributes: list } = input
  checkSecretHash(call, call.client, name, input.SecretHash)
  const { user, delivery } = await signUp(context, call, call.client, { name, password, list })
  return { UserConfirmed: user.status === 'CONFIRMED', UserSub: user.sub, CodeDeliveryDetails: delivery }
}
