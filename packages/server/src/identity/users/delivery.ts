import type { CodeDeliveryDetailsType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import type { UserDocument } from '../../directory/user.ts'
import { maskDestination } from '../../messages/masking.ts'
import type { Message } from '../../messages/messenger.ts'
import { invitationMessage, verificationMessage } from '../../messages/templates.ts'
import { type CodeTarget, limitExceeded } from '../credentials/codes.ts'
import type { Verifiable } from './attributes.ts'

/** The channel that delivers to an address. */
const channelOf = (attribute: Verifiable): Message['channel'] => (attribute === 'email' ? 'EMAIL' : 'SMS')

/** The CodeDeliveryDetails of a sent code, with a masked address. */
export function deliveryDetails({ attribute, value }: CodeTarget): CodeDeliveryDetailsType {
  return { Destination: maskDestination(value), DeliveryMedium: channelOf(attribute), AttributeName: attribute }
}

/**
 * Counts a message to an address that the caller has given; call it before the transaction that issues the code. Throws
 * LimitExceededException.
 */
export async function checkDestination(
  { destinations }: Pick<Context, 'destinations'>,
  { value }: Pick<CodeTarget, 'value'>,
): Promise<void> {
  if (!(await destinations.admit(value, 'given'))) throw limitExceeded()
}

/**
 * Sends a code to the own address of a user, unless the address has received its messages of the hour. The result is the same in
 * both cases: an error would reveal that the user exists. Throws CodeDeliveryFailedError.
 */
export async function sendCodeToOwn(
  context: Pick<Context, 'messenger' | 'region' | 'destinations'>,
  openPool: OpenPool,
  user: Pick<UserDocument, 'username'>,
  target: CodeTarget & { code: string },
): Promise<CodeDeliveryDetailsType> {
  if (!(await context.destinations.admit(target.value, 'own'))) return deliveryDetails(target)
  return sendCode(context, openPool, user, target)
}

/** Sends a code; call it after the transaction that issued the code. Throws CodeDeliveryFailedError; the written rows stay. */
export async function sendCode(
  { messenger, region }: Pick<Context, 'messenger' | 'region'>,
  { pool }: OpenPool,
  user: Pick<UserDocument, 'username'>,
  { attribute, value, code }: CodeTarget & { code: string },
): Promise<CodeDeliveryDetailsType> {
  // The triggers CustomMessage, CustomEmailSender and CustomSMSSender belong here.
  const channel = channelOf(attribute)
  const words = verificationMessage(pool.document, { channel, code, username: user.username })
  await messenger({ to: value, channel, ...words, code, pool: pool.id, region })
  return deliveryDetails({ attribute, value })
}

/** Throws CodeDeliveryFailedError. */
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
