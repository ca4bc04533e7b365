import type { Context } from '../../context.ts'
import { removeCode } from '../../directory/code.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { lockUser, putUser, removeUser, type User } from '../../directory/user.ts'
import { revokeAllTokens } from '../../tokens/revocation.ts'
import { checkPasswordPolicy, setPassword } from '../credentials/passwords.ts'
import { aliasExists, moveAliases, withAliasError } from './aliases.ts'

/**
 * Sets a user's password: for good, and the user is CONFIRMED; or until the first sign-in, and the user must change it then.
 * Throws InvalidPasswordException, PasswordHistoryPolicyViolationException, UserNotFoundException.
 */
export async function setPasswordByAdministrator(
  context: Pick<Context, 'store' | 'clock'>,
  openPool: OpenPool,
  { sub, password, permanent }: { sub: string; password: string; permanent: boolean },
): Promise<void> {
  checkPasswordPolicy(openPool.pool, password)
  await withAliasError(aliasExists, () =>
    context.store.write(async (tx) => {
      const before = await lockUser(tx, openPool, sub)
      const { temporarySince: _, ...rest } = before
      const now = context.clock.now()
      const after: User = permanent
        ? { ...rest, status: 'CONFIRMED', modified: now }
        : { ...rest, status: 'FORCE_CHANGE_PASSWORD', temporarySince: now, modified: now }
      await setPassword(tx, context, openPool, after, password)
      await removeCode(tx, openPool, { sub, purpose: 'reset' })
      await moveAliases(tx, openPool, { before, after })
      await putUser(tx, openPool, after)
    }),
  )
}

/** Lets a user sign in, or no longer; who is disabled is signed out everywhere. Throws UserNotFoundException. */
export async function setEnabled(
  context: Pick<Context, 'store' | 'clock' | 'events'>,
  openPool: OpenPool,
  { sub, enabled }: { sub: string; enabled: boolean },
): Promise<void> {
  const now = context.clock.now()
  await context.store.write(async (tx) => {
    const user = await lockUser(tx, openPool, sub)
    if (user.enabled !== enabled) await putUser(tx, openPool, { ...user, enabled, modified: now })
    if (!enabled) await revokeAllTokens(tx, openPool, { sub, before: now })
  })
  if (!enabled) context.events.signedOut({ pool: openPool.pool.id, sub, how: 'admin' })
}

/** Removes a user with everything that is the user's. Throws UserNotFoundException. */
export async function deleteUser({ store }: Pick<Context, 'store'>, openPool: OpenPool, sub: string): Promise<void> {
  await store.write(async (tx) => {
    await lockUser(tx, openPool, sub)
    await removeUser(tx, openPool, sub)
  })
}
