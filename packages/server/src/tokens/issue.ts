import { type Clock, timedUuid } from '../clock.ts'
import type { Store } from '../store/store.ts'
import { accessClaims, type CommonClaims, idClaims, SELF_SERVICE_SCOPE } from './claims.ts'
import { readStanding } from './groups.ts'
import { type IssuerPlace, issuerOf } from './issuer.ts'
import { signJwts } from './jwt.ts'
import { canRevoke, lifetimesOf, rotates, type TokenClient } from './lifetimes.ts'
import { type Grant, type RefreshToken, sealRefreshToken, type TokenPlace } from './refresh-token.ts'
import type { SigningKeys } from './signing-keys.ts'

export interface IssueContext extends IssuerPlace {
  clock: Clock
  store: Pick<Store, 'find' | 'list'>
  signingKeys: SigningKeys
}

/** For whom tokens are issued, and by which rules. */
export interface IssueRequest {
  place: TokenPlace
  /** IssuerConfiguration.Type of the pool. */
  issuerType: string | undefined
  client: TokenClient
  username: string
  /** The attributes that the client may read. */
  attributes: Readonly<Record<string, string>>
  grant: Grant
}

export interface IssuedTokens {
  accessToken: string
  idToken: string
  /** Lifetime of the access token. */
  expiresInSeconds: number
}

/**
 * The grant of a sign-in that is complete now. `signedOut`: the moment of the user's last sign-out (ms since the epoch), which may
 * have been made by a clock that was ahead; the sign-in comes after it all the same.
 */
export function newGrant(
  clock: Pick<Clock, 'now' | 'randomBytes'>,
  { sub, client, signedOut }: Pick<Grant, 'sub' | 'client'> & { signedOut: number },
): Grant {
  const complete = Math.max(clock.now(), signedOut + 1)
  // Where tokens cannot be revoked, the event stands for the family.
  const newId = (): string => timedUuid({ now: () => complete, randomBytes: clock.randomBytes })
  return {
    sub,
    client,
    origin: newId(),
    eventId: newId(),
    authTime: Math.floor(clock.now() / 1000),
    scopes: [SELF_SERVICE_SCOPE],
  }
}

/** Issues an access and an ID token. Nothing is written. */
export async function issueTokens(
  context: IssueContext,
  { place, issuerType, client, username, attributes, grant }: IssueRequest,
): Promise<IssuedTokens> {
  const { clock, store, signingKeys } = context
  const { accessSeconds, idSeconds } = lifetimesOf(client)
  const [standing, accessKey, idKey] = await Promise.all([
    readStanding(store, { pool: place.pool, sub: grant.sub }),
    signingKeys.signing(place, 'access'),
    signingKeys.signing(place, 'id'),
  ])
  const common: CommonClaims = {
    sub: grant.sub,
    username,
    client: client.id,
    issuer: issuerOf(context, place.pool, issuerType),
    authTime: grant.authTime,
    issuedAt: Math.floor(clock.now() / 1000),
    eventId: grant.eventId,
    originJti: canRevoke(client) || rotates(client) ? grant.origin : undefined,
    standing,
  }
  const [accessToken, idToken] = await signJwts(
    {
      signer: accessKey,
      claims: accessClaims(common, { jti: clock.uuid(), lifetimeSeconds: accessSeconds, scopes: grant.scopes }),
    },
    { signer: idKey, claims: idClaims(common, { jti: clock.uuid(), lifetimeSeconds: idSeconds, attributes }) },
  )
  return { accessToken, idToken, expiresInSeconds: accessSeconds }
}

/** Issues the first refresh token of a family. */
export function issueRefreshToken(
  { clock }: Pick<IssueContext, 'clock'>,
  { place, client, grant }: Pick<IssueRequest, 'place' | 'client' | 'grant'>,
): string {
  const issued = clock.now()
  return sealRefreshToken(place, {
    ...grant,
    issued,
    expires: issued + lifetimesOf(client).refreshSeconds * 1000,
    ...(rotates(client) && { generation: 0 }),
  })
}

/** Issues the refresh token that takes the place of another; it ends when that one would have. */
export function issueSuccessor({ clock }: Pick<IssueContext, 'clock'>, place: TokenPlace, token: RefreshToken): string {
  return sealRefreshToken(place, { ...token, issued: clock.now(), generation: (token.generation ?? 0) + 1 })
}
