import { describeUser } from '../../../identity/users/description.ts'
import { type Invitation, invite, inviteAgain } from '../../../identity/users/invitation.ts'
import type { PoolCall } from '../../callers.ts'
import type { Handler } from '../../rows.ts'

export const AdminCreateUser: Handler<'AdminCreateUser', PoolCall> = async (context, call, input) => {
  const invitation: Invitation = {
    name: input.Username,
    list: input.UserAttributes,
    password: input.TemporaryPassword,
    force: input.ForceAliasCreation ?? false,
    mediums: input.DesiredDeliveryMediums,
    silent: input.MessageAction === 'SUPPRESS',
  }
  const inviteOrResend = input.MessageAction === 'RESEND' ? inviteAgain : invite
  return { User: describeUser(await inviteOrResend(context, call, invitation)) }
}
