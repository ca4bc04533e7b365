import type { CodeDeliveryDetailsType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import { isTrue } from '../../directory/alias.ts'
import type { Client } from '../../directory/client.ts'
import { removeCode } from '../../directory/code.ts'
import { findPassword } from '../../directory/credential.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import type { Pool } from '../../directory/pool.ts'
import { findUser, lockUser, putUser, type User, type UserDocument, userIsDisabled } from '../../directory/user.ts'
import { type CognitoError, invalidParameter, notAuthorized } from '../../errors.ts'
import { DEFAULT_RECOVERY } from '../pools/settings.ts'
import { checkStatus, userNotConfirmed } from '../sign-in/next-step.ts'
import { VERIFIABLE, type Verifiable } from '../users/attributes.ts'
import { sendCode, sendCodeToOwn } from '../users/delivery.ts'
import { getUserByCode, hidesExistence, sendHidden, usernameNotFound } from '../users/existence.ts'
import {
  type CodeTarget,
  checkHourlyLimit,
  clearWrongCodes,
  codeMismatch,
  issueCode,
  limitWrongCodes,
  redeemCode,
} from './codes.ts'
import { checkPassword, checkPasswordPolicy, setPassword, wrongPassword } from './passwords.ts'

type RecoveryContext = Pick<Context, 'store' | 'clock' | 'throttling' | 'messenger' | 'destinations' | 'region'>

/**
 * Sends a code for a password reset. For an unknown name, throws UserNotFoundException, or returns a decoy address for
 * clients that hide whether a user exists. Throws NotAuthorizedException, InvalidParameterException, LimitExceededException,
 * CodeDeliveryFailedError.
 */
export async function startRecovery(
  context: RecoveryContext & Pick<Context, 'deferredWork'>,
  openPool: OpenPool,
  client: Client,
  name: string,
): Promise<CodeDeliveryDetailsType> {
  const [first, ...more] = channelsOf(openPool.pool)
  if (!first) throw administratorOnly()
  // The trigger UserMigration_ForgotPassword belongs here.
  if (hidesExistence(client)) {
    const send = async () => {
      const found = await findUser(context.store, openPool, name)
      if (found) await sendRecoveryCode(context, openPool, found)
    }
    return sendHidden(context, openPool, { operation: 'ForgotPassword', name, channels: [first, ...more], send })
  }
  const found = await findUser(context.store, openPool, name)
  if (!found) {
    await checkHourlyLimit(context, openPool, 'reset', name)
    throw usernameNotFound()
  }
  return sendRecoveryCode(context, openPool, found)
}

async function sendRecoveryCode(
  context: RecoveryContext,
  openPool: OpenPool,
  { sub }: User,
): Promise<CodeDeliveryDetailsType> {
  await checkHourlyLimit(context, openPool, 'reset', sub)
  const { user, target, code } = await context.store.write(async (tx) => {
    const user = await lockUser(tx, openPool, sub)
    checkResettable(user)
    const target = targetOf(user, channelsOf(openPool.pool))
    return { user, target, code: await issueCode(tx, context, openPool, { sub, purpose: 'reset', ...target }) }
  })
  await clearWrongCodes(context, openPool, { sub, purpose: 'reset' })
  return sendCodeToOwn(context, openPool, user, { ...target, code })
}

/**
 * Sets a new password with the code of a recovery, and makes the user CONFIRMED. Throws InvalidPasswordException,
 * ExpiredCodeException, CodeMismatchException, UserNotFoundException, UserNotConfirmedException, NotAuthorizedException,
 * PasswordHistoryPolicyViolationException, LimitExceededException, TooManyFailedAttemptsException.
 */
export async function finishRecovery(
  context: RecoveryContext,
  openPool: OpenPool,
  client: Client,
  { name, code, password }: { name: string; code: string; password: string },
): Promise<void> {
  checkPasswordPolicy(openPool.pool, password)
  const { sub } = await findRecovering(context, openPool, client, { name, code })
  await limitWrongCodes(context, openPool, { sub, purpose: 'reset' }, () =>
    context.store.write(async (tx) => {
      const user = await lockUser(tx, openPool, sub)
      if (!user.enabled) throw hidesExistence(client) ? codeMismatch() : userIsDisabled()
      if (user.status === 'UNCONFIRMED') throw userNotConfirmed()
      await redeemCode(tx, openPool, user, { purpose: 'reset', code })
      await setPassword(tx, context, openPool, user, password)
      const { temporarySince: _, ...rest } = user
      await putUser(tx, openPool, { ...rest, status: 'CONFIRMED', modified: tx.now })
    }),
  )
  // The trigger PostConfirmation_ConfirmForgotPassword belongs here.
}

async function findRecovering(
  context: RecoveryContext,
  openPool: OpenPool,
  client: Client,
  { name, code }: { name: string; code: string },
): Promise<User> {
  if (hidesExistence(client)) return getUserByCode(context, openPool, { name, code, purpose: 'reset', limit: 'reset' })
  const found = await findUser(context.store, openPool, name)
  await checkHourlyLimit(context, openPool, 'reset', found?.sub ?? name)
  if (!found) throw usernameNotFound()
  return found
}

/**
 * Makes a user RESET_REQUIRED, so that the password no longer works, and sends a code for a new one. Throws
 * UserNotFoundException, NotAuthorizedException, InvalidParameterException, CodeDeliveryFailedError.
 */
export async function resetByAdministrator(context: RecoveryContext, openPool: OpenPool, sub: string): Promise<void> {
  const { user, target, code } = await context.store.write(async (tx) => {
    const user = await lockUser(tx, openPool, sub)
    checkResettable(user)
    const channels = channelsOf(openPool.pool)
    const target = targetOf(user, channels.length > 0 ? channels : VERIFIABLE)
    await putUser(tx, openPool, { ...user, status: 'RESET_REQUIRED', modified: tx.now })
    return { user, target, code: await issueCode(tx, context, openPool, { sub, purpose: 'reset', ...target }) }
  })
  await clearWrongCodes(context, openPool, { sub, purpose: 'reset' })
  await sendCode(context, openPool, user, { ...target, code })
}

/**
 * Changes the password of a signed-in user. A user without a password may omit the previous one. Throws
 * NotAuthorizedException, PasswordResetRequiredException, InvalidPasswordException, PasswordHistoryPolicyViolationException, LimitExceededException.
 */
export async function changePassword(
  context: Pick<Context, 'store' | 'clock' | 'throttling'>,
  openPool: OpenPool,
  user: User,
  { previous, proposed }: { previous: string | undefined; proposed: string },
): Promise<void> {
  await checkHourlyLimit(context, openPool, 'ChangePassword', user.sub)
  const hasPassword = (await findPassword(context.store, openPool, user.sub)) !== undefined
  if (hasPassword && !(await checkPassword(context, openPool, { user }, previous ?? ''))) {
    throw wrongPassword()
  }
  checkPasswordPolicy(openPool.pool, proposed)
  await context.store.write(async (tx) => {
    const present = await lockUser(tx, openPool, user.sub)
    checkStatus(present)
    await setPassword(tx, context, openPool, present, proposed)
    await removeCode(tx, openPool, { sub: user.sub, purpose: 'reset' })
    await putUser(tx, openPool, { ...present, modified: tx.now })
  })
}

/**
 * The address types for recovery in this pool, the preferred one first; empty if only administrators may reset passwords.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/managing-users-passwords.html
 */
function channelsOf({ document }: Pool): readonly Verifiable[] {
  const { RecoveryMechanisms = [] } = document.AccountRecoverySetting ?? DEFAULT_RECOVERY
  return RecoveryMechanisms.toSorted((a, b) => (a.Priority ?? 0) - (b.Priority ?? 0)).flatMap(({ Name }) =>
    Name === 'verified_email' ? ['email'] : Name === 'verified_phone_number' ? ['phone_number'] : [],
  )
}

/** An address that is the user's second factor cannot also replace the first factor. */
const FACTOR_OF: Record<Verifiable, string> = { phone_number: 'SMS_MFA', email: 'EMAIL_OTP' }

function findTarget({ attributes, mfa }: UserDocument, channels: readonly Verifiable[]): CodeTarget | undefined {
  for (const attribute of channels) {
    const value = attributes[attribute]
    const usable = isTrue(attributes[`${attribute}_verified`]) && !mfa?.enabled?.includes(FACTOR_OF[attribute])
    if (value !== undefined && usable) return { attribute, value }
  }
  return undefined
}

function targetOf(user: UserDocument, channels: readonly Verifiable[]): CodeTarget {
  if (channels.length === 0) throw administratorOnly()
  const target = findTarget(user, channels)
  if (target) return target
  throw invalidParameter('Cannot reset password for the user as there is no registered/verified email or phone_number')
}

function checkResettable({ enabled, status }: UserDocument): void {
  if (!enabled) throw userIsDisabled()
  if (status === 'FORCE_CHANGE_PASSWORD' || status === 'EXTERNAL_PROVIDER') {
    throw notAuthorized('User password cannot be reset in the current state.')
  }
}

const administratorOnly = (): CognitoError => notAuthorized('Contact administrator to reset password.')
