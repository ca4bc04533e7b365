import { isTrue } from '../directory/alias.ts'
import type { Membership } from './membership.ts'

/** Claims of a user's access token. https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html */
export interface AccessTokenClaims {
  sub: string
  iss: string
  client_id: string
  token_use: 'access'
  scope: string
  auth_time: number
  iat: number
  exp: number
  jti: string
  username: string
  origin_jti?: string
  event_id?: string
  device_key?: string
  version?: number
  'cognito:groups'?: string[]
}

/** Claims of an ID token. https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-id-token.html */
export interface IdTokenClaims {
  sub: string
  iss: string
  aud: string
  token_use: 'id'
  auth_time: number
  iat: number
  exp: number
  jti: string
  'cognito:username': string
  origin_jti?: string
  event_id?: string
  'cognito:groups'?: string[]
  'cognito:roles'?: string[]
  'cognito:preferred_role'?: string
  [attribute: string]: unknown
}

/** The scope that the self-service API requires; a sign-in through the API grants this scope only. */
export const SELF_SERVICE_SCOPE = 'aws.cognito.signin.user.admin'

/** The values that the access token and the ID token share. Times are seconds since the epoch. */
export interface CommonClaims {
  sub: string
  username: string
  client: string
  issuer: string
  authTime: number
  issuedAt: number
  eventId: string
  /** Absent if the client's tokens cannot be revoked. */
  originJti: string | undefined
  membership: Membership
}

export function accessClaims(
  common: CommonClaims,
  { jti, lifetimeSeconds, scopes }: { jti: string; lifetimeSeconds: number; scopes: readonly string[] },
): AccessTokenClaims {
  return {
    sub: common.sub,
    ...groupsOf(common),
    iss: common.issuer,
    client_id: common.client,
    ...(common.originJti && { origin_jti: common.originJti }),
    event_id: common.eventId,
    token_use: 'access',
    scope: scopes.join(' '),
    auth_time: common.authTime,
    exp: common.issuedAt + lifetimeSeconds,
    iat: common.issuedAt,
    jti,
    username: common.username,
  }
}

/** `attributes`: the attributes that the client may read. */
export function idClaims(
  common: CommonClaims,
  {
    jti,
    lifetimeSeconds,
    attributes,
  }: { jti: string; lifetimeSeconds: number; attributes: Readonly<Record<string, string>> },
): IdTokenClaims {
  const { roles, preferredRole } = common.membership
  return {
    ...attributeClaims(attributes),
    sub: common.sub,
    ...groupsOf(common),
    ...(roles.length > 0 && { 'cognito:roles': [...roles] }),
    ...(preferredRole && { 'cognito:preferred_role': preferredRole }),
    iss: common.issuer,
    'cognito:username': common.username,
    ...(common.originJti && { origin_jti: common.originJti }),
    aud: common.client,
    event_id: common.eventId,
    token_use: 'id',
    auth_time: common.authTime,
    exp: common.issuedAt + lifetimeSeconds,
    iat: common.issuedAt,
    jti,
  }
}

const groupsOf = ({ membership }: CommonClaims) =>
  membership.groups.length > 0 && { 'cognito:groups': [...membership.groups] }

// In a token, every other attribute is a string, whatever its type in the schema.
const CONVERSIONS: ReadonlyMap<string, (value: string) => unknown> = new Map([
  ['email_verified', isTrue],
  ['phone_number_verified', isTrue],
  ['updated_at', (value: string): unknown => Number(value)],
  ['address', (formatted: string): unknown => ({ formatted })],
  ['identities', (value: string): unknown => JSON.parse(value)],
])

function attributeClaims(attributes: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, CONVERSIONS.get(name)?.(value) ?? value]),
  )
}
