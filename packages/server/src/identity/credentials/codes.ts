import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Clock, randomText } from '../../clock.ts'
import type { Context } from '../../context.ts'
import { normalize } from '../../directory/alias.ts'
import { findCode, lockCode, putCode, removeCode } from '../../directory/code.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { CognitoError } from '../../errors.ts'
import type { Transaction } from '../../store/write.ts'
import type { Verifiable } from '../users/attributes.ts'

/** What a code proves. A user has at most one live code for each: a new one takes the place of the old. */
export type CodePurpose = 'sign-up' | 'reset' | `verify-${Verifiable}`

/** Where a code went, and with it what it proves: that the user reads this address. */
export interface CodeTarget {
  attribute: Verifiable
  value: string
}

const HOUR = 3_600_000
// https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html: "Code validity".
const LIFETIME_MILLISECONDS = { 'sign-up': 24 * HOUR, reset: HOUR, verify: 24 * HOUR }
const DIGITS = 6
/** Wrong answers to one code; with fewer tries per hour than this, it takes a slow guesser to meet it. */
const WRONG_ANSWERS = 25

/** Makes a code, and ends the life of the one before. Answers the code itself, to be sent once the transaction is durable. */
export async function issueCode(
  tx: Transaction,
  { clock }: Pick<Context, 'clock'>,
  openPool: OpenPool,
  { sub, purpose, attribute, value }: { sub: string; purpose: CodePurpose } & CodeTarget,
): Promise<string> {
  const code = newCode(clock)
  const salt = clock.randomBytes(16).toString('base64')
  const lifetime = LIFETIME_MILLISECONDS[purpose === 'sign-up' || purpose === 'reset' ? purpose : 'verify']
  const document = { attribute, value, salt, hash: hashOf(salt, code), expires: clock.now() + lifetime }
  await putCode(tx, openPool, { sub, purpose }, document)
  return code
}

/**
 * Takes a code: it is gone when the transaction is durable. Throws ExpiredCodeException (none, or too old) and
 * CodeMismatchException.
 */
export async function redeemCode(
  tx: Transaction,
  { clock }: Pick<Context, 'clock'>,
  openPool: OpenPool,
  { sub, purpose, code }: { sub: string; purpose: CodePurpose; code: string },
): Promise<CodeTarget> {
  const present = await lockCode(tx, openPool, { sub, purpose })
  if (!present) throw expiredCode()
  const { attribute, value, salt, hash, expires } = present
  if (expires <= clock.now()) throw expiredCode()
  if (!timingSafeEqual(Buffer.from(hashOf(salt, code)), Buffer.from(hash))) throw codeMismatch()
  await removeCode(tx, openPool, { sub, purpose })
  return { attribute, value }
}

/** The address that waits for its verification, if a code for it is out and alive. */
export async function findCodeTarget(
  db: Pick<Transaction, 'find'>,
  { clock }: Pick<Context, 'clock'>,
  openPool: OpenPool,
  { sub, purpose }: { sub: string; purpose: CodePurpose },
): Promise<CodeTarget | undefined> {
  const present = await findCode(db, openPool, { sub, purpose })
  if (!present || present.expires <= clock.now()) return undefined
  return { attribute: present.attribute, value: present.value }
}

/**
 * Runs work that redeems a code, and counts the wrong answers: after many of them the code is good for nothing until a new
 * one is asked for. Throws TooManyFailedAttemptsException, or what the work throws.
 */
export async function countingWrongAnswers<T>(
  { throttling }: Pick<Context, 'throttling'>,
  { pool }: OpenPool,
  { sub, purpose }: { sub: string; purpose: CodePurpose },
  work: () => Promise<T>,
): Promise<T> {
  const name = wrongAnswers(pool.id, sub, purpose)
  if (((await throttling.read<number>(name)) ?? 0) >= WRONG_ANSWERS) {
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

/** A new code is out: wrong answers count from the beginning. Called after the transaction that issued it. */
export async function forgetWrongAnswers(
  { throttling }: Pick<Context, 'throttling'>,
  { pool }: OpenPool,
  { sub, purpose }: { sub: string; purpose: CodePurpose },
): Promise<void> {
  await throttling.release(wrongAnswers(pool.id, sub, purpose))
}

/**
 * Calls per user and hour. https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html gives 5 to 20 for the two
 * calls of a reset together, by the risk that is seen; without a risk engine it is the upper figure.
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
 * Counts a call against its hourly limit. `who` is a sub, or the name that was given for somebody who is not there, who must
 * meet the same limits, in whatever spelling the pool takes for the same name. Throws LimitExceededException.
 */
export async function checkHourlyLimit(
  { throttling }: Pick<Context, 'throttling'>,
  { pool, cipher }: OpenPool,
  what: keyof typeof HOURLY,
  who: string,
): Promise<void> {
  const whom = cipher.index('hourly', normalize(pool, 'username', who))
  const count = await throttling.count(`hourly/${what}/${pool.id}/${whom}`, HOUR)
  if (count > HOURLY[what]) throw limitExceeded()
}

export const expiredCode = (): CognitoError =>
  new CognitoError('ExpiredCodeException', 'Invalid code provided, please request a code again.')

export const codeMismatch = (): CognitoError =>
  new CognitoError('CodeMismatchException', 'Invalid verification code provided, please try again.')

const limitExceeded = (): CognitoError =>
  new CognitoError('LimitExceededException', 'Attempt limit exceeded, please try after some time.')

/** A one-time code of six digits. */
export const newCode = (clock: Pick<Clock, 'randomBytes'>): string => randomText(clock, '0123456789', DIGITS)

const wrongAnswers = (pool: string, sub: string, purpose: CodePurpose): string => `wrong-code/${pool}/${sub}/${purpose}`

const hashOf = (salt: string, code: string): string =>
  createHmac('sha256', Buffer.from(salt, 'base64')).update(code).digest('base64')
