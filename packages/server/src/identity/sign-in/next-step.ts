import type { Context } from '../../context.ts'
import type { OpenClient } from '../../directory/open-pool.ts'
import type { Pool } from '../../directory/pool.ts'
import { type User, userIsDisabled } from '../../directory/user.ts'
import { CognitoError, notAuthorized } from '../../errors.ts'
import { type IssueContext, issueRefreshToken, issueTokens, newGrant } from '../../tokens/issue.ts'
import { getMembership, type Membership } from '../../tokens/membership.ts'
import type { Grant } from '../../tokens/refresh-token.ts'
import { lastSignOut } from '../../tokens/revocation.ts'
import { wrongPassword } from '../credentials/passwords.ts'
import { DEFAULT_TEMPORARY_DAYS } from '../pools/settings.ts'
import { claimedAttributes, listAttributes, requiredAttributes } from '../users/attributes.ts'
import { newSession, sealSession } from './session.ts'
import type { Step } from './step.ts'

/**
 * The one dispatcher of sign-ins: decides the next step after a successful proof. Every flow returns here and no flow issues
 * tokens itself, so no flow can skip the checks of the user's state, the new password or MFA.
 *
 * @param user as read from the store after the proof
 * @throws NotAuthorizedException, UserNotConfirmedException, PasswordResetRequiredException, NotImplementedException
 */
export async function nextStep(
  context: IssueContext & Pick<Context, 'store' | 'events'>,
  openClient: OpenClient,
  { user, flow }: { user: User; flow: string },
): Promise<Step> {
  checkMaySignIn(user)
  if (user.status === 'FORCE_CHANGE_PASSWORD') return askNewPassword(context, openClient, { user, flow })
  checkNeedsNoMfa(openClient.pool, user)
  const { pool, client } = openClient
  const [signedOutAt, membership] = await Promise.all([
    lastSignOut(context.store, openClient, user.sub),
    getMembership(context.store, openClient, user.sub),
  ])
  const grant = newGrant(context, openClient, { sub: user.sub, signedOutAt })
  const tokens = await issueTokensFor(context, openClient, { user, membership, grant })
  const refreshToken = issueRefreshToken(context, openClient, grant)
  context.events.signedIn({ pool: pool.id, client: client.id, sub: user.sub, flow })
  return { kind: 'tokens', ...tokens, refreshToken }
}

/** Issues access and ID tokens for the grant of a sign-in, new or refreshed. */
export function issueTokensFor(
  context: IssueContext,
  openClient: OpenClient,
  { user, membership, grant }: { user: User; membership: Membership; grant: Grant },
) {
  const attributes = claimedAttributes(user, openClient.client)
  return issueTokens(context, openClient, { user, attributes, membership, grant })
}

/** Throws if the user is disabled, is not confirmed, or must reset the password. */
export function checkStatus({ enabled, status }: User): void {
  if (!enabled) throw userIsDisabled()
  if (status === 'UNCONFIRMED') throw userNotConfirmed()
  if (status === 'RESET_REQUIRED') {
    throw new CognitoError('PasswordResetRequiredException', 'Password reset required for the user')
  }
}

/** Throws if the state of the user forbids any sign-in. */
export function checkMaySignIn(user: User): void {
  checkStatus(user)
  switch (user.status) {
    case 'CONFIRMED':
    case 'FORCE_CHANGE_PASSWORD':
      return
    default:
      // EXTERNAL_PROVIDER users have no password here; the other states of the API model are not in use.
      throw wrongPassword()
  }
}

export const userNotConfirmed = (): CognitoError =>
  new CognitoError('UserNotConfirmedException', 'User is not confirmed.')

const DAY_MILLISECONDS = 86_400_000

function askNewPassword(
  context: Pick<Context, 'clock'>,
  openClient: OpenClient,
  { user, flow }: { user: User; flow: string },
): Step {
  const { pool, client } = openClient
  const policy = pool.document.Policies?.PasswordPolicy
  const days = policy?.TemporaryPasswordValidityDays || DEFAULT_TEMPORARY_DAYS
  if (user.temporarySince !== undefined && context.clock.now() >= user.temporarySince + days * DAY_MILLISECONDS) {
    throw notAuthorized('Temporary password has expired and must be reset by an administrator.')
  }
  const challenge = 'NEW_PASSWORD_REQUIRED'
  const session = newSession(context, openClient, { sub: user.sub, challenge, flow })
  return {
    kind: 'challenge',
    challenge,
    username: user.username,
    attributes: listAttributes(user, client).filter(({ Name }) => Name !== 'sub'),
    missing: requiredAttributes(pool).filter((name) => user.attributes[name] === undefined),
    session: sealSession(openClient, { ...session, temporarySince: user.temporarySince }),
  }
}

/** MFA challenges are not implemented yet; until then, a user who must pass one gets no tokens. */
function checkNeedsNoMfa({ document }: Pick<Pool, 'document'>, { mfa }: User): void {
  const needed =
    document.MfaConfiguration === 'ON' ||
    (document.MfaConfiguration === 'OPTIONAL' && mfa?.enabled !== undefined && mfa.enabled.length > 0)
  if (needed) {
    throw new CognitoError('NotImplementedException', 'This user has to pass MFA, which is not implemented yet.')
  }
}
