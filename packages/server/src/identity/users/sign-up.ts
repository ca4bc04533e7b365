import type { AttributeType, CodeDeliveryDetailsType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import type { Client } from '../../directory/client.ts'
import { removeCode } from '../../directory/code.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import type { Pool } from '../../directory/pool.ts'
import { findUser, insertUser, lockUser, putUser, type User, type UserDocument } from '../../directory/user.ts'
import { CognitoError, invalidParameter, notAuthorized } from '../../errors.ts'
import {
  type CodeTarget,
  checkHourlyLimit,
  countingWrongAnswers,
  expiredCode,
  forgetWrongAnswers,
  issueCode,
  redeemCode,
} from '../credentials/codes.ts'
import { checkPasswordPolicy, setPassword } from '../credentials/passwords.ts'
import { accountExists, moveAliases, readUsername, withAliasError } from './aliases.ts'
import { type Attributes, checkRequired, readNewAttributes, VERIFIABLE, withChanges } from './attributes.ts'
import { deliveryDetails, sendCode } from './delivery.ts'
import { hidesExistence, inventTarget, noSuchUser } from './existence.ts'

type SignUpContext = Pick<Context, 'store' | 'clock' | 'throttling' | 'messenger' | 'region' | 'events'>

/**
 * Signs a user up: UNCONFIRMED, with a code under way where the pool verifies an address by itself. Throws
 * UsernameExistsException, InvalidPasswordException, InvalidParameterException, NotAuthorizedException; and
 * CodeDeliveryFailedError when the user is there and the code could not be sent.
 */
export async function signUp(
  context: SignUpContext,
  openPool: OpenPool,
  client: Client,
  { name, password, list }: { name: string; password: string | undefined; list: readonly AttributeType[] | undefined },
): Promise<{ user: UserDocument; delivery: CodeDeliveryDetailsType | undefined }> {
  const { pool } = openPool
  if (pool.document.AdminCreateUserConfig?.AllowAdminCreateUserOnly) {
    throw notAuthorized('SignUp is not permitted for this user pool')
  }
  const sub = context.clock.uuid()
  const { username, attributes } = readUsername(pool, name, { sub, attributes: readNewAttributes(pool, list, client) })
  checkRequired(pool, attributes)
  checkFirstFactor(pool, { password, attributes })
  // PreSignUp_SignUp has its place here: it may confirm the user, or verify an address.
  const now = context.clock.now()
  const user: UserDocument = {
    sub,
    username,
    attributes: withChanges({}, attributes),
    status: 'UNCONFIRMED',
    enabled: true,
    created: now,
    modified: now,
  }
  const target = targetOf(pool, user)
  const code = await withAliasError(accountExists, () =>
    context.store.write(async (tx) => {
      await insertUser(tx, openPool, user)
      await moveAliases(tx, openPool, { after: user })
      if (password) await setPassword(tx, context, openPool, user, password)
      return target && (await issueCode(tx, context, openPool, { sub, purpose: 'sign-up', ...target }))
    }),
  )
  context.events.signedUp({ pool: pool.id, client: client.id, sub })
  return { user, delivery: target && code ? await sendCode(context, openPool, user, { ...target, code }) : undefined }
}

/**
 * Confirms a sign-up with the code, which also verifies the address that it was sent to. An alias of another user is taken
 * over with `force`. Throws ExpiredCodeException, CodeMismatchException, AliasExistsException, NotAuthorizedException,
 * UserNotFoundException, LimitExceededException, TooManyFailedAttemptsException.
 */
export async function confirmSignUp(
  context: SignUpContext,
  openPool: OpenPool,
  client: Client,
  { name, code, force }: { name: string; code: string; force: boolean },
): Promise<void> {
  const found = await findUser(context.store, openPool, name)
  if (found) checkUnconfirmed(found)
  await checkHourlyLimit(context, openPool, 'ConfirmSignUp', found?.sub ?? name)
  if (!found) throw hidesExistence(client) ? expiredCode() : noSuchUser()
  const { sub } = found
  await countingWrongAnswers(context, openPool, { sub, purpose: 'sign-up' }, () =>
    withAliasError(
      (type) => new CognitoError('AliasExistsException', `An account with the ${type} already exists.`),
      () =>
        context.store.write(async (tx) => {
          const before = await lockUser(tx, openPool, sub)
          checkUnconfirmed(before)
          const { attribute, value } = await redeemCode(tx, context, openPool, { sub, purpose: 'sign-up', code })
          const proven = before.attributes[attribute] === value ? { [`${attribute}_verified`]: 'true' } : {}
          const after: User = {
            ...before,
            status: 'CONFIRMED',
            attributes: { ...before.attributes, ...proven },
            modified: context.clock.now(),
          }
          // Only what was proven is taken from another user: nothing proves a preferred username.
          await moveAliases(tx, openPool, { before, after, force: force ? [attribute] : [] })
          await putUser(tx, openPool, after)
        }),
    ),
  )
  // PostConfirmation_ConfirmSignUp has its place here.
}

/** Confirms a sign-up without a code; no address counts as verified by it. Throws UserNotFoundException, NotAuthorizedException. */
export async function confirmByAdministrator(
  context: Pick<Context, 'store' | 'clock'>,
  openPool: OpenPool,
  sub: string,
): Promise<void> {
  await withAliasError(
    (type) => invalidParameter(`An account with the ${type} already exists.`),
    () =>
      context.store.write(async (tx) => {
        const before = await lockUser(tx, openPool, sub)
        checkUnconfirmed(before)
        const after: User = { ...before, status: 'CONFIRMED', modified: context.clock.now() }
        await moveAliases(tx, openPool, { before, after })
        await removeCode(tx, openPool, { sub, purpose: 'sign-up' })
        await putUser(tx, openPool, after)
      }),
  )
  // PostConfirmation_ConfirmSignUp has its place here.
}

/**
 * Sends a new code for a sign-up. Throws UserNotFoundException (or invents where it was sent, for clients that hide who
 * exists), InvalidParameterException, LimitExceededException, CodeDeliveryFailedError.
 */
export async function resendCode(
  context: SignUpContext,
  openPool: OpenPool,
  client: Client,
  name: string,
): Promise<CodeDeliveryDetailsType> {
  const { pool } = openPool
  const found = await findUser(context.store, openPool, name)
  await checkHourlyLimit(context, openPool, 'ResendConfirmationCode', found?.sub ?? name)
  if (!found?.enabled && hidesExistence(client)) {
    const [first, ...more] = autoVerified(pool)
    if (!first) throw notVerifying()
    return deliveryDetails(inventTarget(openPool, name, [first, ...more]))
  }
  if (!found) throw noSuchUser()
  const { sub } = found
  const { user, target, code } = await context.store.write(async (tx) => {
    const user = await lockUser(tx, openPool, sub)
    if (!user.enabled) throw notAuthorized('User is disabled.')
    if (user.status !== 'UNCONFIRMED') throw invalidParameter('User is already confirmed.')
    const target = targetOf(pool, user)
    if (!target) throw notVerifying()
    return { user, target, code: await issueCode(tx, context, openPool, { sub, purpose: 'sign-up', ...target }) }
  })
  await forgetWrongAnswers(context, openPool, { sub, purpose: 'sign-up' })
  return sendCode(context, openPool, user, { ...target, code })
}

/**
 * Checks the password of a new user, or that the user can do without: in a pool with one-time codes as a first factor, and
 * with an address to send them to. Throws InvalidPasswordException, InvalidParameterException.
 */
export function checkFirstFactor(
  pool: Pool,
  { password, attributes }: { password: string | undefined; attributes: Readonly<Attributes> },
): void {
  const factors = pool.document.Policies?.SignInPolicy?.AllowedFirstAuthFactors ?? []
  const reachable =
    (factors.includes('EMAIL_OTP') && attributes.email) || (factors.includes('SMS_OTP') && attributes.phone_number)
  if (password || (password === '' && !isPasswordless(pool))) checkPasswordPolicy(pool, password)
  else if (!isPasswordless(pool)) {
    throw invalidParameter(
      "1 validation error detected: Value null at 'password' failed to satisfy constraint: Member must not be null",
    )
  } else if (!reachable) {
    throw invalidParameter('A user without a password needs an email or phone_number for one-time passwords.')
  }
}

/** Whether people may sign in without a password, by a code that they are sent. */
export const isPasswordless = (pool: Pool): boolean =>
  (pool.document.Policies?.SignInPolicy?.AllowedFirstAuthFactors ?? []).some(
    (factor) => factor === 'EMAIL_OTP' || factor === 'SMS_OTP',
  )

/** Where a sign-up's code goes: to the telephone before the e-mail address, as documented, and nowhere if it is verified. */
function targetOf(pool: Pool, { attributes }: Pick<UserDocument, 'attributes'>): CodeTarget | undefined {
  for (const attribute of autoVerified(pool)) {
    const value = attributes[attribute]
    if (value !== undefined && attributes[`${attribute}_verified`] !== 'true') return { attribute, value }
  }
  return undefined
}

/** The addresses that the pool verifies by itself, in the order in which they are chosen. */
const autoVerified = (pool: Pool): CodeTarget['attribute'][] =>
  VERIFIABLE.filter((name) => pool.document.AutoVerifiedAttributes?.includes(name)).toReversed()

function checkUnconfirmed({ status, enabled }: UserDocument): void {
  if (!enabled) throw notAuthorized('User is disabled.')
  if (status !== 'UNCONFIRMED') {
    throw notAuthorized(`User cannot be confirmed. Current status is ${status}`)
  }
}

const notVerifying = (): CognitoError => invalidParameter('Cannot resend codes. Auto verification not turned on.')
