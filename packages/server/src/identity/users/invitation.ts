import type { AttributeType } from '@aws-sdk/client-cognito-identity-provider'
import { type Clock, randomText } from '../../clock.ts'
import type { Context } from '../../context.ts'
import { isTrue } from '../../directory/alias.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import type { Pool } from '../../directory/pool.ts'
import { getUser, insertUser, lockUser, putUser, type User, type UserDocument } from '../../directory/user.ts'
import { CognitoError, invalidParameter } from '../../errors.ts'
import { noteSubject } from '../../events/request-scope.ts'
import type { CodeTarget } from '../credentials/codes.ts'
import { checkPasswordPolicy, setPassword } from '../credentials/passwords.ts'
import { accountExists, aliasExists, moveAliases, parseUsername, withAliasError } from './aliases.ts'
import { checkVerifiedFlags, parseNewAttributes, VERIFIABLE, type Verifiable, withChanges } from './attributes.ts'
import { sendInvitation } from './delivery.ts'
import { checkFirstFactor, isPasswordless } from './sign-up.ts'

type InvitationContext = Pick<Context, 'store' | 'clock' | 'messenger' | 'region'>

export interface Invitation {
  name: string
  list: readonly AttributeType[] | undefined
  /** Undefined or '': generated, or no password in pools with passwordless sign-in. */
  password: string | undefined
  /** Takes over verified addresses from a user who has them as an alias. */
  force: boolean
  /** Undefined: by SMS, if the user has a phone number. */
  mediums: readonly ('EMAIL' | 'SMS')[] | undefined
  silent: boolean
}

/**
 * Creates a user for an administrator and sends the invitation. Throws UsernameExistsException, AliasExistsException,
 * InvalidPasswordException, InvalidParameterException; CodeDeliveryFailedError when the user was created and the message was
 * not sent. https://docs.aws.amazon.com/cognito/latest/developerguide/how-to-create-user-accounts.html
 */
export async function inviteUser(
  context: InvitationContext,
  openPool: OpenPool,
  { name, list, password: wanted, force, mediums, silent }: Invitation,
): Promise<UserDocument> {
  const { pool } = openPool
  const sub = context.clock.uuid()
  noteSubject(sub)
  const { username, attributes: given } = parseUsername(pool, name, {
    sub,
    attributes: parseNewAttributes(pool, list, 'administrator'),
  })
  checkVerifiedFlags(given)
  const password = wanted || (isPasswordless(pool) ? '' : temporaryPassword(context.clock, pool))
  checkFirstFactor(pool, { password, attributes: given })
  // The trigger PreSignUp_AdminCreateUser belongs here.
  const attributes = withChanges({}, given)
  const targets = silent ? [] : targetsOf({ attributes }, mediums)
  const verified = VERIFIABLE.filter((type) => isTrue(attributes[`${type}_verified`]))
  const user = await withAliasError(pool.document.UsernameAttributes?.length ? accountExists : aliasExists, () =>
    context.store.write(async (tx) => {
      const user: UserDocument = {
        sub,
        username,
        attributes,
        status: password ? 'FORCE_CHANGE_PASSWORD' : 'CONFIRMED',
        enabled: true,
        created: tx.now,
        modified: tx.now,
        ...(password && { temporarySince: tx.now }),
      }
      await insertUser(tx, openPool, user)
      await moveAliases(tx, openPool, { after: user, force: force ? verified : [] })
      if (password) await setPassword(tx, context, openPool, user, password)
      return user
    }),
  )
  await sendInvitation(context, openPool, { name, password, targets })
  return user
}

/**
 * Invites a user again, with a new temporary password and a new validity period. Throws UserNotFoundException,
 * UnsupportedUserStateException, InvalidPasswordException, InvalidParameterException, CodeDeliveryFailedError.
 */
export async function resendInvitation(
  context: InvitationContext,
  openPool: OpenPool,
  { name, password: wanted, mediums }: Pick<Invitation, 'name' | 'password' | 'mediums'>,
): Promise<UserDocument> {
  const { sub } = await getUser(context.store, openPool, name)
  const password = wanted || temporaryPassword(context.clock, openPool.pool)
  checkPasswordPolicy(openPool.pool, password)
  const { user, targets } = await context.store.write(async (tx) => {
    const before = await lockUser(tx, openPool, sub)
    if (before.status !== 'FORCE_CHANGE_PASSWORD') {
      throw new CognitoError('UnsupportedUserStateException', `Resend not possible. Current status is ${before.status}`)
    }
    const targets = targetsOf(before, mediums)
    const user: User = { ...before, temporarySince: tx.now, modified: tx.now }
    await setPassword(tx, context, openPool, user, password)
    await putUser(tx, openPool, user)
    return { user, targets }
  })
  await sendInvitation(context, openPool, { name, password, targets })
  return user
}

/** A temporary password that meets the pool's policy in any case: all four character classes, at least twelve characters. */
function temporaryPassword(clock: Pick<Clock, 'randomBytes'>, pool: Pool): string {
  const length = Math.max(12, pool.document.Policies?.PasswordPolicy?.MinimumLength ?? 0)
  for (;;) {
    const password = randomText(clock, ALPHABET, length)
    if (CLASSES.every((characters) => characters.test(password))) return password
  }
}

// Without characters that look alike, or that are special in HTML or in a shell.
const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789@%^*-_=+.,'
const CLASSES = [/[A-Z]/, /[a-z]/, /\d/, /[@%^*\-_=+.,]/]

function targetsOf({ attributes }: Pick<UserDocument, 'attributes'>, mediums: Invitation['mediums']): CodeTarget[] {
  const targets: CodeTarget[] = []
  for (const medium of new Set(mediums ?? ['SMS'])) {
    const attribute: Verifiable = medium === 'EMAIL' ? 'email' : 'phone_number'
    const value = attributes[attribute]
    if (value !== undefined) targets.push({ attribute, value })
    else if (mediums) {
      throw invalidParameter(`${attribute} is required to deliver the invitation by ${medium}.`)
    }
  }
  return targets
}
