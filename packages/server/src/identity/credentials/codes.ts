import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Clock, randomText } from '../../clock.ts'
import type { Context } from '../../context.ts'
import { isTrue, normalize } from '../../directory/alias.ts'
import { findCode, findCodeOrDecoy, lockCode, putCode, removeCode } from '../../directory/code.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import type { UserDocument } from '../../directory/user.ts'
import { CognitoError } from '../../errors.ts'
import type { Transaction } from '../../store/write.ts'
import type { Verifiable } from '../users/attributes.ts'

/** The purpose of a code. A user has at most one code per purpose: a new code replaces the old one. */
export type CodePurpose = 'sign-up' | 'reset' | `verify-${Verifiable}`

/** The address that a code was sent to. The code proves that the user can read it. */
export interface CodeTarget {
  attribute: Verifiable
  value: string
}

const HOUR = 3_600_000
// https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html: "Code validity".
const LIFETIME_MILLISECONDS = { 'sign-up': 24 * HOUR, reset: HOUR, verify: 24 * HOUR }
const DIGITS = 6
/** Maximum wrong attempts per code. Hourly limits are lower, so only slow guessing reaches it. */
const MAX_WRONG_CODES = 25

/** Creates a code, which replaces the previous one. Returns it; send it after the transaction has committed. */
export async function issueCode(
  tx: Transaction,
  { clock }: { clock: Pick<Clock, 'randomBytes'> },
  openPool: OpenPool,
  { sub, purpose, attribute, value }: { sub: string; purpose: CodePurpose } & CodeTarget,
): Promise<string> {
  const code = newCode(clock)
  const salt = clock.randomBytes(16).toString('base64')
  const lifetime = LIFETIME_MILLISECONDS[purpose === 'sign-up' || purpose === 'reset' ? purpose : 'verify']
  const document = { attribute, value, salt, hash: hashOf(salt, code), expires: tx.now + lifetime }
  await putCode(tx, openPool, { sub, purpose }, document)
  return code
}

/**
 * Checks a code and removes it. A code for a sign-up or a reset counts as expired once its address is no longer the user's; for a reset,
 * also once it is no longer verified: it proves nothing then. Throws ExpiredCodeException (also for a missing code), CodeMismatchException.
 *
 * @param user as locked by this transaction
 */
export async function redeemCode(
  tx: Transaction,
  openPool: OpenPool,
  user: Pick<UserDocument, 'sub' | 'attributes'>,
  { purpose, code }: { purpose: CodePurpose; code: string },
): Promise<CodeTarget> {
  const { sub } = user
  const present = await lockCode(tx, openPool, { sub, purpose })
  if (!present || present.expires <= tx.now) throw expiredCode()
  if (!isCode(present, code)) throw codeMismatch()
  const { attribute, value } = present
  if (!provesAddress(user, purpose, { attribute, value })) throw expiredCode()
  await removeCode(tx, openPool, { sub, purpose })
  return { attribute, value }
}

/** A code that verifies may be for a pending address: a change of the address removes or replaces it. */
function provesAddress(
  { attributes }: Pick<UserDocument, 'attributes'>,
  purpose: CodePurpose,
  { attribute, value }: CodeTarget,
): boolean {
  if (purpose !== 'sign-up' && purpose !== 'reset') return true
  return attributes[attribute] === value && (purpose === 'sign-up' || isTrue(attributes[`${attribute}_verified`]))
}

/**
 * Whether it is the user's code, expired or not, without redeeming it. Counts wrong codes, and returns false after too many. Does the
 * same work for a user without a code, and for a decoy, whose code is sought with the user `rowsOf`.
 */
export async function isUsersCode(
  { store, throttling }: Pick<Context, 'store' | 'throttling'>,
  openPool: OpenPool,
  { sub, rowsOf, purpose, code }: { sub: string; rowsOf: string; purpose: CodePurpose; code: string },
): Promise<boolean> {
  const name = counterOf(openPool.pool.id, sub, purpose)
  const wrong = (await throttling.read<number>(name)) ?? 0
  const { document, isDecoy } = await findCodeOrDecoy(store, openPool, { sub: rowsOf, purpose })
  const isRight = isCode(document, code) && !isDecoy && rowsOf === sub
  if (!isRight) await throttling.count(name, 24 * HOUR)
  return isRight && wrong < MAX_WRONG_CODES
}

const isCode = ({ salt, hash }: { salt: string; hash: string }, code: string): boolean =>
  timingSafeEqual(Buffer.from(hashOf(salt, code)), Buffer.from(hash))

/** Finds the address of a code that has not expired. */
export async function findCodeTarget(
  tx: Pick<Transaction, 'find' | 'now'>,
  openPool: OpenPool,
  { sub, purpose }: { sub: string; purpose: CodePurpose },
): Promise<CodeTarget | undefined> {
  const present = await findCode(tx, openPool, { sub, purpose })
  if (!present || present.expires <= tx.now) return undefined
  return { attribute: present.attribute, value: present.value }
}

/**
 * Runs work that redeems a code, and counts wrong codes. After too many of them it refuses every code until a new one is
 * issued. Throws TooManyFailedAttemptsException or LimitExceededException, and the errors of the work.
 */
export async function limitWrongCodes<T>(
  { throttling }: Pick<Context, 'throttling'>,
  { pool }: OpenPool,
  { sub, purpose }: { sub: string; purpose: CodePurpose },
  work: () => Promise<T>,
): Promise<T> {
  const name = counterOf(pool.id, sub, purpose)
  if (((await throttling.read<number>(name)) ?? 0) >= MAX_WRONG_CODES) {
    throw purpose === 'sign-up' || purpose === 'reset'
      ? new CognitoError('TooManyFailedAttemptsException', 'Too many failed attempts. Request a new code.')
      : limitExceeded()
  }
  try {
    return await work()
  } catch (error) {
    if (error instanceof CognitoError && error.code === 'CodeMismatchException') await throttling.count(name, 24 * HOUR)
    throw error
  }
}

/** Resets the count of wrong codes. Call it after the transaction that issued a new code. */
export async function clearWrongCodes(
  { throttling }: Pick<Context, 'throttling'>,
  { pool }: OpenPool,
  { sub, purpose }: { sub: string; purpose: CodePurpose },
): Promise<void> {
  await throttling.release(counterOf(pool.id, sub, purpose))
}

/**
 * Calls per user and hour. https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html allows 5 to 20 for both
 * calls of a reset together, depending on the risk of the request; without a risk engine, we use the upper figure.
 */
const HOURLY = {
  reset: 20,
  ResendConfirmationCode: 5,
  ConfirmSignUp: 15,
  ChangePassword: 5,
  GetUserAttributeVerificationCode: 5,
  VerifyUserAttribute: 15,
} as const

/**
 * Counts a call against its hourly limit. `subject`: the sub of the user; or the given name if no user has it, or if the client hides
 * whether one has: an unknown name must meet the same limits, in every spelling that the pool treats as equal. Throws
 * LimitExceededException.
 */
export async function checkHourlyLimit(
  { throttling }: Pick<Context, 'throttling'>,
  { pool, cipher }: OpenPool,
  call: keyof typeof HOURLY,
  subject: string,
): Promise<void> {
  const hash = cipher.index('hourly', normalize(pool, 'username', subject))
  const count = await throttling.count(`hourly/${call}/${pool.id}/${hash}`, HOUR)
  if (count > HOURLY[call]) throw limitExceeded()
}

export const expiredCode = (): CognitoError =>
  new CognitoError('ExpiredCodeException', 'Invalid code provided, please request a code again.')

export const codeMismatch = (): CognitoError =>
  new CognitoError('CodeMismatchException', 'Invalid verification code provided, please try again.')

export const limitExceeded = (): CognitoError =>
  new CognitoError('LimitExceededException', 'Attempt limit exceeded, please try after some time.')

/** A one-time code of six digits. */
const newCode = (clock: Pick<Clock, 'randomBytes'>): string => randomText(clock, '0123456789', DIGITS)

const counterOf = (pool: string, sub: string, purpose: CodePurpose): string => `wrong-code/${pool}/${sub}/${purpose}`

const hashOf = (salt: string, code: string): string =>
  createHmac('sha256', Buffer.from(salt, 'base64')).update(code).digest('base64')
