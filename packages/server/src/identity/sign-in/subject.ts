import type { Context } from '../../context.ts'
import type { OpenClient } from '../../directory/open-pool.ts'
import { findUser, userNotFound } from '../../directory/user.ts'
import { noteSubject } from '../../events/request-scope.ts'
import { findHiddenUser, type HiddenUser, hidesExistence, isSubOnly, typedHash } from '../users/existence.ts'
import { checkStatus } from './next-step.ts'

/** The subject of a sign-in. A sign-in with a decoy proceeds until it fails as a wrong password does. */
export type Subject = Omit<HiddenUser, 'typed'> & {
  /** Only for clients that hide whether a user exists. */
  typed?: string
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
  context: Pick<Context, 'store'>,
  openClient: OpenClient,
  name: string,
): Promise<Subject> {
  if (hidesExistence(openClient.client)) {
    const hidden = await findHiddenUser(context, openClient, { name, bySub: false })
    noteSubject(hidden.sub)
    return hidden
  }
  const user = await findUser(context.store, openClient, name)
  if (!user || isSubOnly(openClient.pool, user, name)) throw userNotFound()
  noteSubject(user.sub)
  checkStatus(user)
  return { user, sub: user.sub, srpName: user.username, other: undefined }
}

/** The counter of wrong passwords: each name that was typed has its own where names must not show that they belong together. */
export const lockoutOf = ({ user, sub, typed }: Pick<Subject, 'user' | 'sub' | 'typed'>) => ({
  name: typed ?? sub,
  isDecoy: user === undefined,
})

/**
 * Whether the USERNAME of a response names the session's subject: USER_ID_FOR_SRP, the sub, or another name of the user. Where the client
 * hides whether a user exists, only the name that began the sign-in: others would show which names belong together.
 */
export async function isNameOf(
  { store }: Pick<Context, 'store'>,
  openClient: OpenClient,
  { name, subject: { sub, srpName, typed } }: { name: string; subject: Pick<Subject, 'sub' | 'srpName' | 'typed'> },
): Promise<boolean> {
  if (name === srpName || name === sub) return true
  if (typed !== undefined) return typedHash(openClient, name) === typed
  return (await findUser(store, openClient, name))?.sub === sub
}
