/** The claims of tokens, the requirements on them, and their checks. */
import { InsufficientTokenError, refusal, TokenRefusedError } from './errors.ts'
import type { TokenHeader } from './jws.ts'

export type TokenUse = 'access' | 'id' | 'either'

type CommonClaims = {
  readonly sub: string
  readonly iss: string
  readonly exp: number
  readonly iat: number
  readonly auth_time?: number
  readonly jti?: string
  readonly origin_jti?: string
  readonly event_id?: string
  readonly 'cognito:groups'?: readonly string[]
  readonly [claim: string]: unknown
}

/** Claims of an access token. Machine tokens have no `username` and no groups. */
export type AccessClaims = CommonClaims & {
  readonly token_use: 'access'
  readonly client_id: string
  readonly scope?: string
  readonly username?: string
  readonly aud?: string | readonly string[]
  readonly device_key?: string
}

/** Claims of an ID token. */
export type IdClaims = CommonClaims & {
  readonly token_use: 'id'
  readonly aud: string
  readonly 'cognito:username': string
  readonly 'cognito:roles'?: readonly string[]
  readonly 'cognito:preferred_role'?: string
  readonly email?: string
  readonly email_verified?: boolean
  readonly phone_number?: string
  readonly phone_number_verified?: boolean
  readonly nonce?: string
}

export type ClaimsOf<Use extends TokenUse> = Use extends 'access'
  ? AccessClaims
  : Use extends 'id'
    ? IdClaims
    : AccessClaims | IdClaims

/**
 * At least one of `any`, and all of `all`. An empty list is refused: it would require nothing, or something impossible.
 */
export type Demand = { readonly any?: readonly string[]; readonly all?: readonly string[] }

type Scalar = string | number | boolean

/** Requirements on a token in addition to its signature, issuer, times, use and client. */
export type Demands<Use extends TokenUse = TokenUse> = {
  /** Scopes of an access token. */
  readonly scopes?: Use extends 'id' ? undefined : Demand
  /** Groups in `cognito:groups`. */
  readonly groups?: Demand
  /** Claims that must be present, with any value except null. */
  readonly requiredClaims?: readonly string[]
  /** Claims that must have the given value, or one of the given values. */
  readonly claimValues?: Readonly<Record<string, Scalar | readonly Scalar[]>>
  /**
   * Your own check, called last. Only `true` passes; an error that it throws becomes the `cause` of the refusal.
   * With `verifySync`, it must not return a promise.
   */
  readonly check?: (claims: ClaimsOf<Use>, header: TokenHeader) => boolean | Promise<boolean>
}

export type Payload = Readonly<Record<string, unknown>>

/** A rule throws if the payload violates it. `nowSeconds` is a float. */
export type Rule = (payload: Payload, nowSeconds: number) => void

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const claimOf = (payload: Payload, claim: string): unknown =>
  Object.hasOwn(payload, claim) ? payload[claim] : undefined

function meets(held: ReadonlySet<unknown> | readonly unknown[], { any, all }: Demand): boolean {
  const has = (value: string) => (Array.isArray(held) ? held.includes(value) : (held as Set<unknown>).has(value))
  return (any === undefined || any.some(has)) && (all === undefined || all.every(has))
}

export type Times = { readonly clockToleranceSeconds: number; readonly issuedAheadSeconds: number }

/** RFC 7519 section 4.1.4 to 4.1.6. `exp` and `iat` are required: tokens of a user pool always have them. */
export function timeRule({ clockToleranceSeconds, issuedAheadSeconds }: Times): Rule {
  return ({ exp, nbf, iat }, now) => {
    if (!isTime(exp) || now >= exp + clockToleranceSeconds) throw refusal('exp')
    if (nbf !== undefined && (!isTime(nbf) || nbf > now + issuedAheadSeconds)) throw refusal('nbf')
    if (!isTime(iat) || iat > now + issuedAheadSeconds) throw refusal('iat')
  }
}

const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)

export type Audience = {
  readonly tokenUse: TokenUse
  readonly clientIds: readonly string[] | null
  readonly resources: readonly string[] | null | undefined
}

/** Checks the token's use, its client, and the resource that an access token is bound to (RFC 8707). */
export function audienceRule({ tokenUse, clientIds, resources }: Audience): Rule {
  return (payload) => {
    const { token_use: use, client_id, aud } = payload
    if (use !== 'access' && use !== 'id') throw refusal('token_use')
    if (tokenUse !== 'either' && use !== tokenUse) throw refusal('token_use')
    const client = use === 'access' ? client_id : aud
    if (typeof client !== 'string' || (clientIds !== null && !clientIds.includes(client))) throw refusal('client')
    if (use === 'id' || resources === null) return
    const bound = typeof aud === 'string' ? [aud] : aud === undefined ? [] : listOf(aud)
    // Without configured resources, refuse a token that was issued for another API. Accept the client itself as
    // audience: a pre-token trigger may set it.
    const accepted = resources ?? [client]
    const free = resources === undefined && aud === undefined
    if (!free && !bound.some((resource) => accepted.includes(resource as string))) throw refusal('resource')
  }
}

/** The rules for the given requirements; an empty list without requirements. */
export function demandRules({ scopes, groups, requiredClaims, claimValues }: Demands): Rule[] {
  const rules: Rule[] = []
  if (scopes !== undefined) {
    rules.push(({ token_use: use, scope }) => {
      const held = use === 'access' && typeof scope === 'string' ? scope.split(' ') : []
      if (!meets(held, scopes))
        throw new InsufficientTokenError('scopes', [...(scopes.all ?? []), ...(scopes.any ?? [])])
    })
  }
  if (groups !== undefined) {
    rules.push((payload) => {
      if (meets(listOf(payload['cognito:groups']), groups)) return
      throw new InsufficientTokenError('groups', [...(groups.all ?? []), ...(groups.any ?? [])])
    })
  }
  for (const claim of requiredClaims ?? []) {
    rules.push((payload) => {
      if (claimOf(payload, claim) == null) throw new TokenRefusedError('claims', { claim })
    })
  }
  for (const [claim, wanted] of Object.entries(claimValues ?? {})) {
    const values = Array.isArray(wanted) ? (wanted as readonly unknown[]) : [wanted]
    rules.push((payload) => {
      if (!values.includes(claimOf(payload, claim))) throw new TokenRefusedError('claims', { claim })
    })
  }
  return rules
}

/**
 * Runs the caller's own check. Returns a promise only if the check does. @throws TokenRefusedError of the check
 * `custom`
 */
export function runCheck(
  check: Exclude<Demands['check'], undefined>,
  claims: Payload,
  header: TokenHeader,
): undefined | Promise<undefined> {
  const requireTrue = (result: unknown): undefined => {
    if (result !== true) throw new TokenRefusedError('custom')
  }
  const fail = (cause: unknown): never => {
    throw cause instanceof TokenRefusedError ? cause : new TokenRefusedError('custom', { cause })
  }
  let result: boolean | Promise<boolean>
  try {
    result = check(claims as never, header)
  } catch (error) {
    return fail(error)
  }
  return result instanceof Promise ? result.catch(fail).then(requireTrue) : requireTrue(result)
}
