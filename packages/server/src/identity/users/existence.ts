import type { CodeDeliveryDetailsType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import { ignoresCase, normalize } from '../../directory/alias.ts'
import type { Client } from '../../directory/client.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import type { Pool } from '../../directory/pool.ts'
import { aliasTypesFor, findUserOrOther, type User } from '../../directory/user.ts'
import { CognitoError } from '../../errors.ts'
import { type CodePurpose, type CodeTarget, checkHourlyLimit, codeMismatch, isUsersCode } from '../credentials/codes.ts'
import { isEmail, isPhoneNumber, type Verifiable } from './attributes.ts'
import { deliveryDetails } from './delivery.ts'

/*
 * Calls of a client with PreventUserExistenceErrors. The response depends on the name and the pool, never on the state of the user:
 * absent, unconfirmed, disabled, without an address, and so on. The state shows only to a caller with the password or the code.
 *
 *   InitiateAuth, RespondToAuthChallenge      NotAuthorizedException, as for a wrong password; by SRP only after the proof
 *   ForgotPassword, ResendConfirmationCode    a decoy address; the user is looked up after the response
 *   ConfirmForgotPassword, ConfirmSignUp      CodeMismatchException
 *
 * Limits count each name by itself: a limit that two names share would show that both belong to one user. The calls do the same work
 * for every state, and work that only some states need (a write, a message) runs after the response (deferred-work.ts).
 * docs/decisions/existence.md has the reasons.
 */

/**
 * Whether the client's calls must not reveal if a user exists.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-managing-errors.html
 */
export const hidesExistence = (client: Client): boolean => client.document.PreventUserExistenceErrors === 'ENABLED'

/** The error of calls about codes for an unknown user, for clients that may reveal it. */
export const usernameNotFound = (): CognitoError =>
  new CognitoError('UserNotFoundException', 'Username/client id combination not found.')

/**
 * A user, or a decoy for a name that no user has. The `sub` and `srpName` of a decoy are derived from the name and the pool, so they
 * never change.
 */
export interface HiddenUser {
  user: User | undefined
  sub: string
  /** USER_ID_FOR_SRP. */
  srpName: string
  /** The user whose other rows are read in place of a decoy's. */
  other: User | undefined
  /** Keyed hash of the name as typed: names the counters of failures. */
  typed: string
}

/** `bySub`: whether the sub is a name. It is none to sign in with. */
export async function findHiddenUser(
  { store }: Pick<Context, 'store'>,
  openPool: OpenPool,
  { name, bySub }: { name: string; bySub: boolean },
): Promise<HiddenUser> {
  const found = await findUserOrOther(store, openPool, name)
  const isHidden = found.user && !bySub && isSubOnly(openPool.pool, found.user, name)
  const { user, other } = isHidden ? { user: undefined, other: found.user } : found
  const decoy = decoySub(openPool, name)
  const sub = user?.sub ?? decoy
  const srpName = mayBeOtherName(openPool.pool, name) ? sub : normalize(openPool.pool, 'username', name)
  return { user, sub, srpName, other, typed: typedHash(openPool, name) }
}

/** Administrative calls accept a sub as a name. It is a name to sign in with only where it is the username. */
export const isSubOnly = (pool: Pool, { sub, username }: User, name: string): boolean =>
  name.toLowerCase() === sub && normalize(pool, 'username', name) !== normalize(pool, 'username', username)

/**
 * Whether the name may find a user whose username has another normal form: it may be an alias, or differ in case. A name that is derived
 * from the username would reveal the user.
 */
const mayBeOtherName = (pool: Pool, name: string): boolean =>
  (pool.document.UsernameAttributes?.length ?? 0) > 0 || ignoresCase(pool) || aliasTypesFor(pool, name).length > 0

export const typedHash = ({ pool, cipher }: OpenPool, name: string): string =>
  cipher.index('typed', normalize(pool, 'username', name))

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i

/**
 * In the format of a UUID of version 4, like the sub of a user. Where the username is the sub, the decoy of such a name has that name, as
 * a user has.
 */
function decoySub({ pool, cipher }: OpenPool, name: string): string {
  const bytes = cipher.derive(`nobody\n${normalize(pool, 'username', name)}`, 16)
  if (pool.document.UsernameAttributes?.length && UUID.test(name)) return name.toLowerCase()
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/**
 * The user of a call with a code. Throws CodeMismatchException in every state, unless the code is the user's; LimitExceededException.
 */
export async function getUserByCode(
  context: Pick<Context, 'store' | 'throttling'>,
  openPool: OpenPool,
  {
    name,
    code,
    purpose,
    limit,
  }: { name: string; code: string; purpose: CodePurpose; limit: 'reset' | 'ConfirmSignUp' },
): Promise<User> {
  const { user, sub, other } = await findHiddenUser(context, openPool, { name, bySub: true })
  await checkHourlyLimit(context, openPool, limit, name)
  const isRight = await isUsersCode(context, openPool, { sub, rowsOf: user?.sub ?? other?.sub ?? sub, purpose, code })
  if (!isRight || !user) throw codeMismatch()
  return user
}

/**
 * The response of a call that sends a code: a decoy address. `send` runs after the response, for every name. Throws
 * LimitExceededException, TooManyRequestsException.
 */
export async function sendHidden(
  context: Pick<Context, 'throttling' | 'deferredWork'>,
  openPool: OpenPool,
  {
    operation,
    name,
    channels,
    send,
  }: {
    operation: 'ForgotPassword' | 'ResendConfirmationCode'
    name: string
    channels: readonly [Verifiable, ...Verifiable[]]
    send: () => Promise<unknown>
  },
): Promise<CodeDeliveryDetailsType> {
  await checkHourlyLimit(context, openPool, operation === 'ForgotPassword' ? 'reset' : operation, name)
  context.deferredWork.add({ operation, pool: openPool.pool.id }, send)
  return deliveryDetails(decoyTarget(openPool, name, channels))
}

/**
 * A decoy address. Its channel is the first one whose format matches the name, else one that the pool verifies automatically, else the
 * first. If the name is an address, the result is that address; otherwise the address is derived from the name and the pool, so it
 * never changes.
 */
function decoyTarget(
  { pool, cipher }: OpenPool,
  name: string,
  channels: readonly [Verifiable, ...Verifiable[]],
): CodeTarget {
  const attribute =
    channels.find((channel) => FORM_OF[channel](name)) ??
    channels.find((channel) => pool.document.AutoVerifiedAttributes?.includes(channel)) ??
    channels[0]
  if (FORM_OF[attribute](name)) return { attribute, value: name }
  const bytes = cipher.derive(`destination\n${normalize(pool, 'username', name)}`, 12)
  if (attribute === 'email') {
    const letter = (at: number): string => String.fromCharCode(97 + ((bytes[at] as number) % 26))
    return { attribute, value: `${letter(0)}@${letter(1)}.example` }
  }
  return { attribute, value: `+1${[...bytes.subarray(2)].map((byte) => byte % 10).join('')}` }
}

const FORM_OF: Record<Verifiable, (name: string) => boolean> = { email: isEmail, phone_number: isPhoneNumber }
