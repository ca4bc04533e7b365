import type { CodeDeliveryDetailsType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import type { UserDocument } from '../../directory/user.ts'
import { maskDestination } from '../../messages/masking.ts'
import type { Message } from '../../messages/messenger.ts'
import { invitationMessage, verificationMessage } from '../../messages/templates.ts'
import type { CodeTarget } from '../credentials/codes.ts'
import type { Verifiable } from './attributes.ts'

/** By which channel an address is reached. */
export const channelOf = (attribute: Verifiable): Message['channel'] => (attribute === 'email' ? 'EMAIL' : 'SMS')

/** What the caller is told about a code that went out. */
export function deliveryDetails({ attribute, value }: CodeTarget): CodeDeliveryDetailsType {
  return { Destination: maskDestination(value), DeliveryMedium: channelOf(attribute), AttributeName: attribute }
}

/** Sends a code, after the transaction that issued it. Throws CodeDeliveryFailedError; what was written stays. */
export async function sendCode(
  { messenger, region }: Pick<Context, 'messenger' | 'region'>,
  { pool }: OpenPool,
  user: Pick<UserDocument, 'username'>,
  { attribute, value, code }: CodeTarget & { code: string },
): Promise<CodeDeliveryDetailsType> {
  // CustomMessage and the custom senders have their place here.
  const channel = channelOf(attribute)
  const words = verificationMessage(pool.document, { channel, code, username: user.username })
  await messenger({ to: value, channel, ...words, code, pool: pool.id, region })
  return deliveryDetails({ attribute, value })
}

/** Sends an invitation to each of the addresses. Throws CodeDeliveryFailedError. */
export async function sendInvitation(
  { messenger, region }: Pick<Context, 'messenger' | 'region'>,
  { pool }: OpenPool,
  { name, password, targets }: { name: string; password: string; targets: readonly CodeTarget[] },
): Promise<void> {
  for (const { attribute, value } of targets) {
    const channel = channelOf(attribute)
    const words = invitationMessage(pool.document, { channel, code: password, username: name })
    await messenger({ to: value, channel, ...words, code: password, pool: pool.id, region })
  }
}
