import type { Context } from '../../context.ts'
import type { OpenClient } from '../../directory/open-pool.ts'
import type { User } from '../../directory/user.ts'
import { CognitoError, notAuthorized } from '../../errors.ts'
import { noteSubject } from '../../events/request-scope.ts'
import { issueSuccessor } from '../../tokens/issue.ts'
import { rotates } from '../../tokens/lifetimes.ts'
import { getMembership, type Membership } from '../../tokens/membership.ts'
import { openRefreshToken, type RefreshToken } from '../../tokens/refresh-token.ts'
import { isRotatedOut, redeemGeneration } from '../../tokens/rotation.ts'
import { hasClientSecret } from '../clients/client-secret.ts'
import { checkSecretHash } from '../clients/secret-hash.ts'
import { findTokenHolder } from '../sessions/token-holder.ts'
import { checkStatus, issueTokensFor } from './next-step.ts'
import { requireParameter } from './parameters.ts'
import type { Parameters, TokensStep } from './step.ts'

const DEFAULT_GRACE_SECONDS = 0

/** REFRESH_TOKEN_AUTH: new access and ID tokens, same refresh token. Not for clients with rotation. */
export async function refreshByFlow(
  context: Context,
  openClient: OpenClient,
  { parameters }: { parameters: Parameters },
): Promise<TokensStep> {
  if (rotates(openClient.client)) {
    throw new CognitoError(
      'UnsupportedOperationException',
      'Refresh token rotation is enabled for this client: use GetTokensFromRefreshToken.',
    )
  }
  const text = requireParameter(parameters, 'REFRESH_TOKEN')
  // Refuse a missing hash before any error about the token. A given hash is checked later, when the token has named the user.
  if (parameters.SECRET_HASH === undefined) checkSecretHash(openClient, openClient.client, '', undefined)
  const refreshing = await checkRefreshToken(context, openClient, text)
  const { token } = refreshing
  checkHashOf(openClient, refreshing.user, parameters.SECRET_HASH)
  if (await isRotatedOut(context.store, openClient.pool.id, token))
    throw notAuthorized('Refresh Token has been revoked')
  return refreshed(context, openClient, refreshing)
}

/** GetTokensFromRefreshToken: like REFRESH_TOKEN_AUTH, and with a new refresh token if the client has rotation. */
export async function refreshByToken(
  context: Context,
  openClient: OpenClient,
  { token: text, clientSecret }: { token: string; clientSecret: string | undefined },
): Promise<TokensStep> {
  const { pool, client } = openClient
  checkClientSecret(openClient, clientSecret)
  const refreshing = await checkRefreshToken(context, openClient, text)
  const { token } = refreshing
  if (!rotates(client)) {
    if (await isRotatedOut(context.store, pool.id, token)) throw notAuthorized('Refresh Token has been revoked')
    return refreshed(context, openClient, refreshing)
  }
  const graceSeconds = client.document.RefreshTokenRotation?.RetryGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS
  const outcome = await context.store.write((tx) => redeemGeneration(tx, pool.id, token, { graceSeconds }))
  if (outcome === 'reused') {
    context.events.signedOut({ pool: pool.id, sub: token.sub, how: 'revocation' })
    throw new CognitoError('RefreshTokenReuseException', 'Refresh token has been used already.')
  }
  const step = await refreshed(context, openClient, refreshing)
  return { ...step, refreshToken: issueSuccessor(context, openClient, token) }
}

interface Refreshing {
  token: RefreshToken
  user: User
  membership: Membership
}

/**
 * Opens a refresh token of this client, checks that it is valid, and reads its user. Throws NotAuthorizedException,
 * PasswordResetRequiredException, UserNotConfirmedException.
 */
async function checkRefreshToken(context: Context, openClient: OpenClient, text: string): Promise<Refreshing> {
  const token = openRefreshToken(openClient, text)
  if (token === 'expired') throw notAuthorized('Refresh Token has expired')
  if (!token || token.client !== openClient.client.id) throw notAuthorized('Invalid Refresh Token')
  noteSubject(token.sub)
  if (token.expires <= context.clock.now()) throw notAuthorized('Refresh Token has expired')
  const [{ user, revoked }, membership] = await Promise.all([
    findTokenHolder(context, openClient, token),
    getMembership(context.store, openClient, token.sub),
  ])
  if (revoked || !user) throw notAuthorized('Refresh Token has been revoked')
  checkStatus(user)
  return { token, user, membership }
}

async function refreshed(
  context: Context,
  openClient: OpenClient,
  { token, user, membership }: Refreshing,
): Promise<TokensStep> {
  const tokens = await issueTokensFor(context, openClient, { user, membership, grant: token })
  context.events.tokensRefreshed({ pool: openClient.pool.id, client: openClient.client.id, sub: user.sub })
  return { kind: 'tokens', ...tokens }
}

/** A refresh call has no USERNAME; its hash is over the real username or the sub. */
function checkHashOf(openClient: OpenClient, { username, sub }: User, hash: string | undefined): void {
  try {
    checkSecretHash(openClient, openClient.client, username, hash)
  } catch {
    checkSecretHash(openClient, openClient.client, sub, hash)
  }
}

function checkClientSecret(openClient: OpenClient, secret: string | undefined): void {
  if (hasClientSecret(openClient, openClient.client, secret)) return
  const { id } = openClient.client
  throw notAuthorized(
    secret === undefined
      ? `Client ${id} is configured for secret but secret was not received`
      : `Unable to verify secret for client ${id}`,
  )
}
