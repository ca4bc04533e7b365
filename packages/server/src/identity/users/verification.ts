import type { AttributeType, CodeDeliveryDetailsType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import { isTrue } from '../../directory/alias.ts'
import { removeCode } from '../../directory/code.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { findUser, lockUser, putUser, type User } from '../../directory/user.ts'
import { invalidParameter } from '../../errors.ts'
import type { Transaction } from '../../store/write.ts'
import {
  type CodeTarget,
  checkHourlyLimit,
  clearWrongCodes,
  findCodeTarget,
  issueCode,
  limitWrongCodes,
  redeemCode,
} from '../credentials/codes.ts'
import { aliasExists, moveAliases, withAliasError } from './aliases.ts'
import {
  type Attributes,
  checkVerifiedFlags,
  parseChanges,
  VERIFIABLE,
  type Verifiable,
  type Writer,
  withChanges,
} from './attributes.ts'
import { checkDestination, sendCode, sendCodeToOwn } from './delivery.ts'

type VerificationContext = Pick<Context, 'store' | 'clock' | 'throttling' | 'messenger' | 'destinations' | 'region'>

/**
 * Changes attributes of a user. Sends a code to a new address if the pool verifies it automatically; if the pool requires
 * verification before an update, the old address stays until the code is redeemed. Returns where codes were sent. Throws
 * InvalidParameterException, NotAuthorizedException, AliasExistsException, UserNotFoundException, CodeDeliveryFailedError.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-email-phone-verification.html
 *
 * @param change `limitedBy`: the user who makes the change; messages to new addresses are then limited. Throws
 * LimitExceededException
 */
export async function updateAttributes(
  context: VerificationContext,
  openPool: OpenPool,
  { sub, list, writer, limitedBy }: { sub: string; list: readonly AttributeType[]; writer: Writer; limitedBy?: User },
): Promise<CodeDeliveryDetailsType[]> {
  if (limitedBy) await checkNewAddresses(context, openPool, limitedBy, list)
  const { user, codes } = await withAliasError(aliasExists, () =>
    context.store.write(async (tx) => {
      const before = await lockUser(tx, openPool, sub)
      const changes = parseChanges(openPool.pool, before.attributes, list, writer)
      const codes: (CodeTarget & { code: string })[] = []
      for (const attribute of VERIFIABLE) {
        const value = changes[attribute]
        if (value === undefined) continue
        const purpose = `verify-${attribute}` as const
        const { send, hold } =
          value === '' || isTrue(changes[`${attribute}_verified`]) ? NOTHING : rulesOf(openPool, attribute)
        if (hold) {
          await checkIsFree(tx, openPool, { attribute, value, sub })
          delete changes[attribute]
          delete changes[`${attribute}_verified`]
        }
        if (send)
          codes.push({
            attribute,
            value,
            code: await issueCode(tx, context, openPool, { sub, purpose, attribute, value }),
          })
        else await removeCode(tx, openPool, { sub, purpose })
      }
      const user: User = {
        ...before,
        attributes: withChanges(before.attributes, changes),
        modified: tx.now,
      }
      checkVerifiedFlags(user.attributes)
      await moveAliases(tx, openPool, { before, after: user, force: takenOver(openPool, writer, changes) })
      await putUser(tx, openPool, user)
      return { user, codes }
    }),
  )
  const sent: CodeDeliveryDetailsType[] = []
  for (const code of codes) {
    await clearWrongCodes(context, openPool, { sub, purpose: `verify-${code.attribute}` })
    sent.push(await sendCode(context, openPool, user, code))
  }
  return sent
}

/**
 * Sends a code for an address of a signed-in user: the pending address if there is one, else the current address. Throws
 * InvalidParameterException, LimitExceededException, CodeDeliveryFailedError.
 */
export async function startVerification(
  context: VerificationContext,
  openPool: OpenPool,
  user: User,
  name: string,
): Promise<CodeDeliveryDetailsType> {
  const attribute = verifiable(name)
  const purpose = `verify-${attribute}` as const
  const { sub } = user
  await checkHourlyLimit(context, openPool, 'GetUserAttributeVerificationCode', sub)
  const { target, code } = await context.store.write(async (tx) => {
    const present = await lockUser(tx, openPool, sub)
    const pending = await findCodeTarget(tx, openPool, { sub, purpose })
    const value = pending?.value ?? present.attributes[attribute]
    if (value === undefined) throw invalidParameter(`User has no ${attribute} to verify.`)
    const target: CodeTarget = { attribute, value }
    return { target, code: await issueCode(tx, context, openPool, { sub, purpose, ...target }) }
  })
  await clearWrongCodes(context, openPool, { sub, purpose })
  return sendCodeToOwn(context, openPool, user, { ...target, code })
}

/**
 * Verifies an address with the code that was sent to it; a pending address replaces the old one. Throws
 * ExpiredCodeException, CodeMismatchException, AliasExistsException, InvalidParameterException, LimitExceededException.
 */
export async function finishVerification(
  context: VerificationContext,
  openPool: OpenPool,
  user: User,
  { name, code }: { name: string; code: string },
): Promise<void> {
  const attribute = verifiable(name)
  const purpose = `verify-${attribute}` as const
  const { sub } = user
  await checkHourlyLimit(context, openPool, 'VerifyUserAttribute', sub)
  await limitWrongCodes(context, openPool, { sub, purpose }, () =>
    withAliasError(aliasExists, () =>
      context.store.write(async (tx) => {
        const before = await lockUser(tx, openPool, sub)
        const { value } = await redeemCode(tx, openPool, before, { purpose, code })
        const attributes = { ...before.attributes, [attribute]: value, [`${attribute}_verified`]: 'true' }
        const after: User = { ...before, attributes, modified: tx.now }
        await moveAliases(tx, openPool, { before, after })
        await putUser(tx, openPool, after)
      }),
    ),
  )
}

/** Counts the messages to addresses that the user does not have yet. Throws LimitExceededException. */
async function checkNewAddresses(
  context: VerificationContext,
  openPool: OpenPool,
  { attributes }: User,
  list: readonly AttributeType[],
): Promise<void> {
  for (const attribute of VERIFIABLE) {
    const value = list.findLast(({ Name }) => Name === attribute)?.Value
    if (!value || value === attributes[attribute] || !rulesOf(openPool, attribute).send) continue
    await checkDestination(context, { value })
  }
}

/**
 * An administrator who marks an address as verified takes it over from another user. With UsernameAttributes the address is the
 * only name that the other user can sign in with, so it stays.
 */
function takenOver({ pool }: OpenPool, writer: Writer, changes: Readonly<Attributes>): Verifiable[] {
  if (writer !== 'administrator' || pool.document.UsernameAttributes?.length) return []
  return VERIFIABLE.filter((name) => isTrue(changes[`${name}_verified`]))
}

const NOTHING = { send: false, hold: false }

/** The pool's rules for a new address. `send`: send a code; `hold`: keep the old address until the code is redeemed. */
function rulesOf({ pool }: OpenPool, attribute: Verifiable): { send: boolean; hold: boolean } {
  const hold =
    pool.document.UserAttributeUpdateSettings?.AttributesRequireVerificationBeforeUpdate?.includes(attribute) ?? false
  return { hold, send: hold || (pool.document.AutoVerifiedAttributes?.includes(attribute) ?? false) }
}

/** With UsernameAttributes, a pending address must be free already. Throws AliasExistsException. */
async function checkIsFree(
  tx: Transaction,
  openPool: OpenPool,
  { attribute, value, sub }: CodeTarget & { sub: string },
): Promise<void> {
  if (!openPool.pool.document.UsernameAttributes?.includes(attribute)) return
  const holder = await findUser(tx, openPool, value)
  if (holder && holder.sub !== sub) throw aliasExists(attribute)
}

function verifiable(name: string): Verifiable {
  const attribute = VERIFIABLE.find((known) => known === name)
  if (!attribute) throw invalidParameter(`${name} is not an attribute that can be verified.`)
  return attribute
}
