import type { Context } from '../../context.ts'
import { normalize } from '../../directory/alias.ts'
import type { OpenClient } from '../../directory/open-pool.ts'
import { findUser, type User, userNotFound } from '../../directory/user.ts'
import { hidesExistence } from '../users/existence.ts'
import { checkStatus } from './next-step.ts'

/**
 * The subject of a sign-in: a user, or a decoy for a name that no user has. The `sub` and `username` of a decoy are derived from
 * the name and the pool, so they never change. A sign-in with a decoy proceeds until it fails as a wrong password does.
 */
export interface Subject {
  user: User | undefined
  sub: string
  username: string
}

/**
 * Returns the subject for a name: a username or an active alias, not a sub. Clients that may reveal whether a user exists also
 * report here that the user is disabled, is not confirmed, or must reset the password; other clients report it only after a
 * correct password.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-managing-errors.html
 *
 * @throws UserNotFoundException, NotAuthorizedException, UserNotConfirmedException, PasswordResetRequiredException
 */
export async function getSubject(
  { store }: Pick<Context, 'store'>,
  openClient: OpenClient,
  name: string,
): Promise<Subject> {
  const found = await findUser(store, openClient, name)
  const user = found && isSubOnly(openClient, found, name) ? undefined : found
  if (hidesExistence(openClient.client)) {
    const { sub, username } = user ?? decoyUser(openClient, name)
    return { user, sub, username }
  }
  if (!user) throw userNotFound()
  checkStatus(user)
  return { user, sub: user.sub, username: user.username }
}

/**
 * Whether the USERNAME of a response is a name of the session's subject: the username (USER_ID_FOR_SRP), the sub, or an alias.
 * Works for decoys too.
 */
export async function isNameOf(
  { store }: Pick<Context, 'store'>,
  openClient: OpenClient,
  { name, subject }: { name: string; subject: Subject },
): Promise<boolean> {
  if (name === subject.username || name === subject.sub) return true
  return ((await findUser(store, openClient, name)) ?? decoyUser(openClient, name)).sub === subject.sub
}

/** Administrative calls accept a sub as a name. It is a name to sign in with only where it is the username. */
const isSubOnly = ({ pool }: OpenClient, { sub, username }: User, name: string): boolean =>
  name.toLowerCase() === sub && normalize(pool, 'username', name) !== normalize(pool, 'username', username)

/** In the format of a UUID of version 4, like `sub` and USER_ID_FOR_SRP of a real user. */
function decoyUser({ pool, cipher }: OpenClient, name: string): { sub: string; username: string } {
  const bytes = cipher.derive(`nobody\n${normalize(pool, 'username', name)}`, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const sub = bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  return { sub, username: sub }
}
