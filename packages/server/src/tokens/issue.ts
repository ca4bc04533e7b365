import { type Clock, timedUuid } from '../clock.ts'
import type { OpenClient, OpenPool } from '../directory/open-pool.ts'
import { accessClaims, type CommonClaims, idClaims, SELF_SERVICE_SCOPE } from './claims.ts'
import { type IssuerAddresses, issuerOf } from './issuer.ts'
import type { JwtSigner } from './jwt.ts'
import { canRevoke, lifetimesOf, rotates } from './lifetimes.ts'
import type { Membership } from './membership.ts'
import type { PoolClock } from './pool-clock.ts'
import { type Grant, type RefreshToken, sealRefreshToken } from './refresh-token.ts'
import type { SigningKeys } from './signing-keys.ts'

export interface IssueContext extends IssuerAddresses {
  clock: Clock
  poolClock: PoolClock
  signingKeys: SigningKeys
  signer: JwtSigner
}

export interface IssueRequest {
  user: { username: string }
  /** Only attributes that the client may read. */
  attributes: Readonly<Record<string, string>>
  membership: Membership
  grant: Grant
}

export interface IssuedTokens {
  accessToken: string
  idToken: string
  /** Lifetime of the access token. */
  expiresInSeconds: number
}

/**
 * The grant of a sign-in that has just completed. `signedOutAt`: time of the user's last sign-out (ms since the epoch, on the pool's
 * clock). A sign-out also ends what began shortly after it; this grant must count as later in any case.
 */
export function newGrant(
  { clock, poolClock }: Pick<IssueContext, 'clock' | 'poolClock'>,
  { pool, client }: OpenClient,
  { sub, signedOutAt }: Pick<Grant, 'sub'> & { signedOutAt: number },
): Grant {
  const complete = Math.max(poolClock.now(pool), signedOutAt + 1)
  // Both ids carry the time: tokens that cannot be revoked have no origin_jti, and event_id identifies their family.
  const newId = (): string => timedUuid({ now: () => complete, randomBytes: clock.randomBytes })
  return {
    sub,
    client: client.id,
    origin: newId(),
    eventId: newId(),
    authTime: Math.floor(clock.now() / 1000),
    scopes: [SELF_SERVICE_SCOPE],
  }
}

/** Issues an access and an ID token. Writes nothing. */
export async function issueTokens(
  context: IssueContext,
  openClient: OpenClient,
  { user, attributes, membership, grant }: IssueRequest,
): Promise<IssuedTokens> {
  const { clock, signingKeys } = context
  const { pool, client } = openClient
  const { accessSeconds, idSeconds } = lifetimesOf(client)
  const [accessKey, idKey] = await Promise.all([
    signingKeys.signing(openClient, 'access'),
    signingKeys.signing(openClient, 'id'),
  ])
  const common: CommonClaims = {
    sub: grant.sub,
    username: user.username,
    client: client.id,
    issuer: issuerOf(context, pool.id, pool.document.IssuerConfiguration?.Type),
    authTime: grant.authTime,
    issuedAt: Math.floor(clock.now() / 1000),
    eventId: grant.eventId,
    originJti: canRevoke(client) || rotates(client) ? grant.origin : undefined,
    membership,
  }
  const [accessToken, idToken] = await context.signer.signPair(
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
  openClient: OpenClient,
  grant: Grant,
): string {
  const { client } = openClient
  const issued = clock.now()
  return sealRefreshToken(openClient, {
    ...grant,
    issued,
    expires: issued + lifetimesOf(client).refreshSeconds * 1000,
    ...(rotates(client) && { generation: 0 }),
  })
}

/** Issues the refresh token that replaces `token`; it expires at the same time. */
export function issueSuccessor(
  { clock }: Pick<IssueContext, 'clock'>,
  openPool: OpenPool,
  token: RefreshToken,
): string {
  return sealRefreshToken(openPool, { ...token, issued: clock.now(), generation: (token.generation ?? 0) + 1 })
}
