import type { Context } from '../../context.ts'
import { removeCode } from '../../directory/code.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { lockUser, putUser, removeUser, type User } from '../../directory/user.ts'
import { revokeAllTokens } from '../../tokens/revocation.ts'
import { checkPasswordPolicy, setPassword } from '../credentials/passwords.ts'
import { aliasExists, moveAliases, withAliasError } from './aliases.ts'

/**
 * Sets a permanent password, which makes the user CONFIRMED, or a temporary one, which the user must change at the next sign-in.
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
      const after: User = permanent
        ? { ...rest, status: 'CONFIRMED', modified: tx.now }
        : { ...rest, status: 'FORCE_CHANGE_PASSWORD', temporarySince: tx.now, modified: tx.now }
      await setPassword(tx, context, openPool, after, password)
      await removeCode(tx, openPool, { sub, purpose: 'reset' })
      await moveAliases(tx, openPool, { before, after })
      await putUser(tx, openPool, after)
    }),
  )
}

/** Enables or disables a user. Disabling also revokes all tokens of the user. Throws UserNotFoundException. */
export async function setEnabled(
  context: Pick<Context, 'store' | 'events' | 'poolClock'>,
  openPool: OpenPool,
  { sub, enabled }: { sub: string; enabled: boolean },
): Promise<void> {
  await context.store.write(async (tx) => {
    const user = await lockUser(tx, openPool, sub)
    if (user.enabled !== enabled) await putUser(tx, openPool, { ...user, enabled, modified: tx.now })
    if (!enabled) await revokeAllTokens(tx, context, openPool, { sub })
  })
  if (!enabled) context.events.signedOut({ pool: openPool.pool.id, sub, how: 'admin' })
}

/** Removes a user and everything that the user owns. Throws UserNotFoundException. */
export async function deleteUser({ store }: Pick<Context, 'store'>, openPool: OpenPool, sub: string): Promise<void> {
  await store.write(async (tx) => {
    await lockUser(tx, openPool, sub)
    await removeUser(tx, openPool, sub)
  })
}
