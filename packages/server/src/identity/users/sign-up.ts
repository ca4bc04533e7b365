import type { AttributeType, CodeDeliveryDetailsType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import { aliasTypesOf, isTrue } from '../../directory/alias.ts'
import type { Client } from '../../directory/client.ts'
import { removeCode } from '../../directory/code.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import type { Pool } from '../../directory/pool.ts'
import {
  findUser,
  insertUser,
  lockUser,
  putUser,
  type User,
  type UserDocument,
  userIsDisabled,
} from '../../directory/user.ts'
import { CognitoError, invalidParameter, notAuthorized } from '../../errors.ts'
import {
  type CodeTarget,
  checkHourlyLimit,
  clearWrongCodes,
  issueCode,
  limitWrongCodes,
  redeemCode,
} from '../credentials/codes.ts'
import { checkPasswordPolicy, setPassword } from '../credentials/passwords.ts'
import { accountExists, moveAliases, parseUsername, withAliasError } from './aliases.ts'
import { type Attributes, checkRequired, parseNewAttributes, VERIFIABLE, withChanges } from './attributes.ts'
import { checkDestination, sendCode, sendCodeToOwn } from './delivery.ts'
import { getUserByCode, hidesExistence, sendHidden, usernameNotFound } from './existence.ts'

type SignUpContext = Pick<
  Context,
  'store' | 'clock' | 'throttling' | 'messenger' | 'destinations' | 'region' | 'events'
>

/**
 * Creates an UNCONFIRMED user, and sends a code if the pool verifies an address automatically. Throws
 * UsernameExistsException, InvalidPasswordException, InvalidParameterException, NotAuthorizedException, LimitExceededException; and
 * CodeDeliveryFailedError when the user was created and the code could not be sent.
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
  const { username, attributes: given } = parseUsername(pool, name, {
    sub,
    attributes: parseNewAttributes(pool, list, client),
  })
  checkHasNoPreferredUsername(pool, given)
  checkRequired(pool, given)
  checkFirstFactor(pool, { password, attributes: given })
  // The trigger PreSignUp_SignUp belongs here: it may confirm the user, or verify an address.
  const attributes = withChanges({}, given)
  const target = targetOf(pool, { attributes })
  if (target) await checkDestination(context, target)
  const { user, code } = await withAliasError(accountExists, () =>
    context.store.write(async (tx) => {
      const user: UserDocument = {
        sub,
        username,
        attributes,
        status: 'UNCONFIRMED',
        enabled: true,
        created: tx.now,
        modified: tx.now,
      }
      await insertUser(tx, openPool, user)
      await moveAliases(tx, openPool, { after: user })
      if (password) await setPassword(tx, context, openPool, user, password)
      const code = target && (await issueCode(tx, context, openPool, { sub, purpose: 'sign-up', ...target }))
      return { user, code }
    }),
  )
  context.events.signedUp({ pool: pool.id, client: client.id, sub })
  return { user, delivery: target && code ? await sendCode(context, openPool, user, { ...target, code }) : undefined }
}

/**
 * Confirms a sign-up with the code, which also verifies the address that it was sent to. `force` takes over an alias of another
 * user. Throws ExpiredCodeException, CodeMismatchException, AliasExistsException, NotAuthorizedException,
 * UserNotFoundException, LimitExceededException, TooManyFailedAttemptsException.
 */
export async function confirmSignUp(
  context: SignUpContext,
  openPool: OpenPool,
  client: Client,
  { name, code, force }: { name: string; code: string; force: boolean },
): Promise<void> {
  const { sub } = await findConfirming(context, openPool, client, { name, code })
  await limitWrongCodes(context, openPool, { sub, purpose: 'sign-up' }, () =>
    withAliasError(
      (type) => new CognitoError('AliasExistsException', `An account with the ${type} already exists.`),
      () =>
        context.store.write(async (tx) => {
          const before = await lockUser(tx, openPool, sub)
          checkUnconfirmed(before)
          const { attribute } = await redeemCode(tx, openPool, before, { purpose: 'sign-up', code })
          const after: User = {
            ...before,
            status: 'CONFIRMED',
            attributes: { ...before.attributes, [`${attribute}_verified`]: 'true' },
            modified: tx.now,
          }
          // Take over only the proven address from another user: nothing proves a preferred username.
          await moveAliases(tx, openPool, { before, after, force: force ? [attribute] : [] })
          await putUser(tx, openPool, after)
        }),
    ),
  )
  // The trigger PostConfirmation_ConfirmSignUp belongs here.
}

async function findConfirming(
  context: SignUpContext,
  openPool: OpenPool,
  client: Client,
  { name, code }: { name: string; code: string },
): Promise<User> {
  if (hidesExistence(client)) {
    return getUserByCode(context, openPool, { name, code, purpose: 'sign-up', limit: 'ConfirmSignUp' })
  }
  const found = await findUser(context.store, openPool, name)
  if (found) checkUnconfirmed(found)
  await checkHourlyLimit(context, openPool, 'ConfirmSignUp', found?.sub ?? name)
  if (!found) throw usernameNotFound()
  return found
}

/** Confirms a sign-up without a code; this verifies no address. Throws UserNotFoundException, NotAuthorizedException. */
export async function confirmByAdministrator(
  context: Pick<Context, 'store'>,
  openPool: OpenPool,
  sub: string,
): Promise<void> {
  await withAliasError(
    (type) => invalidParameter(`An account with the ${type} already exists.`),
    () =>
      context.store.write(async (tx) => {
        const before = await lockUser(tx, openPool, sub)
        checkUnconfirmed(before)
        const after: User = { ...before, status: 'CONFIRMED', modified: tx.now }
        await moveAliases(tx, openPool, { before, after })
        await removeCode(tx, openPool, { sub, purpose: 'sign-up' })
        await putUser(tx, openPool, after)
      }),
  )
  // The trigger PostConfirmation_ConfirmSignUp belongs here.
}

/**
 * Sends a new code for a sign-up. For an unknown name, throws UserNotFoundException, or returns a decoy address for clients
 * that hide whether a user exists. Throws InvalidParameterException, LimitExceededException, CodeDeliveryFailedError.
 */
export async function resendCode(
  context: SignUpContext & Pick<Context, 'deferredWork'>,
  openPool: OpenPool,
  client: Client,
  name: string,
): Promise<CodeDeliveryDetailsType> {
  if (hidesExistence(client)) {
    const [first, ...more] = autoVerified(openPool.pool)
    if (!first) throw notVerifying()
    const send = async () => {
      const found = await findUser(context.store, openPool, name)
      if (found) await sendSignUpCode(context, openPool, found)
    }
    return sendHidden(context, openPool, {
      operation: 'ResendConfirmationCode',
      name,
      channels: [first, ...more],
      send,
    })
  }
  const found = await findUser(context.store, openPool, name)
  if (!found) {
    await checkHourlyLimit(context, openPool, 'ResendConfirmationCode', name)
    throw usernameNotFound()
  }
  return sendSignUpCode(context, openPool, found)
}

async function sendSignUpCode(
  context: SignUpContext,
  openPool: OpenPool,
  { sub }: User,
): Promise<CodeDeliveryDetailsType> {
  await checkHourlyLimit(context, openPool, 'ResendConfirmationCode', sub)
  const { user, target, code } = await context.store.write(async (tx) => {
    const user = await lockUser(tx, openPool, sub)
    if (!user.enabled) throw userIsDisabled()
    if (user.status !== 'UNCONFIRMED') throw invalidParameter('User is already confirmed.')
    const target = targetOf(openPool.pool, user)
    if (!target) throw notVerifying()
    return { user, target, code: await issueCode(tx, context, openPool, { sub, purpose: 'sign-up', ...target }) }
  })
  await clearWrongCodes(context, openPool, { sub, purpose: 'sign-up' })
  return sendCodeToOwn(context, openPool, user, { ...target, code })
}

/**
 * Checks the first factor of a new user: a valid password; or no password, in a pool with one-time codes as a first factor, and
 * an address to send them to. Throws InvalidPasswordException, InvalidParameterException.
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

/** Whether the pool allows sign-in by a one-time code instead of a password. */
export const isPasswordless = (pool: Pool): boolean =>
  (pool.document.Policies?.SignInPolicy?.AllowedFirstAuthFactors ?? []).some(
    (factor) => factor === 'EMAIL_OTP' || factor === 'SMS_OTP',
  )

/** A preferred username is an alias only of a confirmed user, who chooses it then. Throws InvalidParameterException. */
function checkHasNoPreferredUsername(pool: Pool, { preferred_username }: Readonly<Attributes>): void {
  if (preferred_username !== undefined && aliasTypesOf(pool).includes('preferred_username')) {
    throw invalidParameter('Preferred username cannot be provided for unconfirmed account')
  }
}

/** The address for a sign-up's code: an unverified one, the phone number before the e-mail address, as documented. */
function targetOf(pool: Pool, { attributes }: Pick<UserDocument, 'attributes'>): CodeTarget | undefined {
  for (const attribute of autoVerified(pool)) {
    const value = attributes[attribute]
    if (value !== undefined && !isTrue(attributes[`${attribute}_verified`])) return { attribute, value }
  }
  return undefined
}

/** The address types that the pool verifies automatically, in the order of preference. */
const autoVerified = (pool: Pool): CodeTarget['attribute'][] =>
  VERIFIABLE.filter((name) => pool.document.AutoVerifiedAttributes?.includes(name)).toReversed()

function checkUnconfirmed({ status, enabled }: UserDocument): void {
  if (!enabled) throw userIsDisabled()
  if (status !== 'UNCONFIRMED') {
    throw notAuthorized(`User cannot be confirmed. Current status is ${status}`)
  }
}

const notVerifying = (): CognitoError => invalidParameter('Cannot resend codes. Auto verification not turned on.')
