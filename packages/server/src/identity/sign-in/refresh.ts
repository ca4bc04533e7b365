import type { Context } from '../../context.ts'
import type { User } from '../../directory/user.ts'
import { CognitoError } from '../../errors.ts'
import { issueSuccessor } from '../../tokens/issue.ts'
import { rotates } from '../../tokens/lifetimes.ts'
import { openRefreshToken, type RefreshToken } from '../../tokens/refresh-token.ts'
import { isRotatedOut, useGeneration } from '../../tokens/rotation.ts'
import { hasClientSecret } from '../clients/client-secret.ts'
import { checkSecretHash } from '../clients/secret-hash.ts'
import { findTokenHolder } from '../sessions/token-holder.ts'
import { tokensFor, userIsDisabled } from './next-step.ts'
import { requireParameter } from './parameters.ts'
import type { Parameters, SignInPlace, TokensStep } from './step.ts'

const DEFAULT_GRACE_SECONDS = 0

/** REFRESH_TOKEN_AUTH: new access and ID tokens; the refresh token stays. Not for clients that rotate theirs. */
export async function refreshByFlow(
  context: Context,
  place: SignInPlace,
  { parameters }: { parameters: Parameters },
): Promise<TokensStep> {
  if (rotates(place.client)) {
    throw new CognitoError(
      'UnsupportedOperationException',
      'Refresh token rotation is enabled for this client: use GetTokensFromRefreshToken.',
    )
  }
  const text = requireParameter(parameters, 'REFRESH_TOKEN')
  // Before anything is told of the token; over which name the hash is made is known only afterwards.
  if (parameters.SECRET_HASH === undefined) checkSecretHash(place, place.client, '', undefined)
  const { token, user } = await readRefreshToken(context, place, text)
  checkHashOf(place, user, parameters.SECRET_HASH)
  if (await isRotatedOut(context.store, place.pool.id, token)) throw refused('Refresh Token has been revoked')
  return refreshed(context, place, { token, user })
}

/** GetTokensFromRefreshToken: as REFRESH_TOKEN_AUTH, and with a new refresh token where the client rotates them. */
export async function refreshByToken(
  context: Context,
  place: SignInPlace,
  { token: text, clientSecret }: { token: string; clientSecret: string | undefined },
): Promise<TokensStep> {
  const { pool, cipher, client } = place
  checkClientSecret(place, clientSecret)
  const { token, user } = await readRefreshToken(context, place, text)
  if (!rotates(client)) {
    if (await isRotatedOut(context.store, pool.id, token)) throw refused('Refresh Token has been revoked')
    return refreshed(context, place, { token, user })
  }
  const graceSeconds = client.document.RefreshTokenRotation?.RetryGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS
  const outcome = await context.store.write((tx) =>
    useGeneration(tx, pool.id, token, { now: context.clock.now(), graceSeconds }),
  )
  if (outcome === 'reused') {
    context.events.signedOut({ pool: pool.id, sub: token.sub, how: 'revocation' })
    throw new CognitoError('RefreshTokenReuseException', 'Refresh token has been used already.')
  }
  const step = await refreshed(context, place, { token, user })
  return { ...step, refreshToken: issueSuccessor(context, { pool: pool.id, cipher }, token) }
}

/** A refresh token of this client that is good now, and its user. Throws NotAuthorizedException. */
async function readRefreshToken(
  context: Context,
  place: SignInPlace,
  text: string,
): Promise<{ token: RefreshToken; user: User }> {
  const { pool, cipher, client } = place
  const token = openRefreshToken({ pool: pool.id, cipher }, text)
  if (!token || token.client !== client.id) throw refused('Invalid Refresh Token')
  if (token.expires <= context.clock.now()) throw refused('Refresh Token has expired')
  const { user, ended } = await findTokenHolder(context, place, token)
  if (ended || !user) throw refused('Refresh Token has been revoked')
  if (!user.enabled) throw userIsDisabled()
  return { token, user }
}

async function refreshed(
  context: Context,
  place: SignInPlace,
  { token, user }: { token: RefreshToken; user: User },
): Promise<TokensStep> {
  const tokens = await tokensFor(context, place, { user, grant: token })
  context.events.tokensRefreshed({ pool: place.pool.id, client: place.client.id, sub: user.sub })
  return { kind: 'tokens', ...tokens }
}

/** A refresh names no user; its hash is over the real username or the sub. */
function checkHashOf(place: SignInPlace, { username, sub }: User, hash: string | undefined): void {
  try {
    checkSecretHash(place, place.client, username, hash)
  } catch {
    checkSecretHash(place, place.client, sub, hash)
  }
}

function checkClientSecret(place: SignInPlace, secret: string | undefined): void {
  if (hasClientSecret(place, place.client, secret)) return
  const { id } = place.client
  throw refused(
    secret === undefined
      ? `Client ${id} is configured for secret but secret was not received`
      : `Unable to verify secret for client ${id}`,
  )
}

const refused = (message: string): CognitoError => new CognitoError('NotAuthorizedException', message)
