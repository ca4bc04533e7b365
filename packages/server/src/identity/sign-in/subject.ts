import type { Context } from '../../context.ts'
import { normalize } from '../../directory/alias.ts'
import type { OpenClient } from '../../directory/open-pool.ts'
import { findUser, type User } from '../../directory/user.ts'
import { CognitoError, notAuthorized } from '../../errors.ts'
import { hidesExistence } from '../users/existence.ts'
import { passwordResetRequired, userIsDisabled } from './next-step.ts'

/**
 * Whoever wants to sign in. Without a user, `sub` and `username` are invented, always the same for the name and the pool,
 * and every step takes its course up to the point where a wrong password fails.
 */
export interface Subject {
  user: User | undefined
  sub: string
  username: string
}

/**
 * Finds who is meant by a name. Clients that may tell whether a user exists also tell at once that the user is disabled or
 * has to reset the password; the others only to those who know the password.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-managing-errors.html
 *
 * @throws UserNotFoundException, NotAuthorizedException, PasswordResetRequiredException
 */
export async function getSubject(
  { store }: Pick<Context, 'store'>,
  openClient: OpenClient,
  name: string,
): Promise<Subject> {
  const user = await findUser(store, openClient, name)
  if (hidesExistence(openClient.client)) {
    const { sub, username } = user ?? decoyUser(openClient, name)
    return { user, sub, username }
  }
  if (!user) throw new CognitoError('UserNotFoundException', 'User does not exist.')
  if (!user.enabled) throw userIsDisabled()
  if (user.status === 'RESET_REQUIRED') throw passwordResetRequired()
  return { user, sub: user.sub, username: user.username }
}

/**
 * Whether the USERNAME of an answer means the subject of the session: the username (USER_ID_FOR_SRP), the sub, or an alias. Those who
 * do not exist are told apart in the same way.
 */
export async function isNameOf(
  { store }: Pick<Context, 'store'>,
  openClient: OpenClient,
  { name, subject }: { name: string; subject: Subject },
): Promise<boolean> {
  if (name === subject.username || name === subject.sub) return true
  return ((await findUser(store, openClient, name)) ?? decoyUser(openClient, name)).sub === subject.sub
}

export const wrongPassword = (): CognitoError => notAuthorized('Incorrect username or password.')

/** A UUID of version 4 by its looks, as `sub` and USER_ID_FOR_SRP have it. */
function decoyUser({ pool, cipher }: OpenClient, name: string): { sub: string; username: string } {
  const bytes = cipher.derive(`nobody\n${normalize(pool, 'username', name)}`, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const sub = bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  return { sub, username: sub }
}
