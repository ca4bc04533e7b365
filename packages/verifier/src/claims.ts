/** What a token must say, and the check of it. */
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

/** Claims of an access token. `username` and groups are those of users; machine tokens have none. */
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

/** At least one of `any`, and each of `all`. An empty list is refused: it would ask for nothing, or for the impossible. */
export type Demand = { readonly any?: readonly string[]; readonly all?: readonly string[] }

type Scalar = string | number | boolean

/** What may be asked of a token besides its signature, issuer, times, use and client. */
export type Demands<Use extends TokenUse = TokenUse> = {
  /** Of an access token. */
  readonly scopes?: Use extends 'id' ? undefined : Demand
  /** In `cognito:groups`. */
  readonly groups?: Demand
  /** Claims that must be there, with any value but null. */
  readonly requiredClaims?: readonly string[]
  /** Claims that must have this value, or one of these. */
  readonly claimValues?: Readonly<Record<string, Scalar | readonly Scalar[]>>
  /**
   * The last check, of your own. Only `true` passes; an error that it throws becomes the `cause` of the refusal.
   * `verifySync` takes none that returns a promise.
   */
  readonly check?: (claims: ClaimsOf<Use>, header: TokenHeader) => boolean | Promise<boolean>
}

export type Payload = Readonly<Record<string, unknown>>

/** A rule that a payload passes or throws. `nowSeconds` is a float. */
export type Rule = (payload: Payload, nowSeconds: number) => void

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const claimOf = (payload: Payload, claim: string): unknown =>
  Object.hasOwn(payload, claim) ? payload[claim] : undefined

function meets(held: ReadonlySet<unknown> | readonly unknown[], { any, all }: Demand): boolean {
  const has = (value: string) => (Array.isArray(held) ? held.includes(value) : (held as Set<unknown>).has(value))
  return (any === undefined || any.some(has)) && (all === undefined || all.every(has))
}

export type Times = { readonly clockToleranceSeconds: number; readonly issuedAheadSeconds: number }

/** RFC 7519 section 4.1.4 to 4.1.6. `exp` and `iat` must be there, as they always are in tokens of a user pool. */
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

/** For whom the token is: its use, its client, and the resource that an access token is bound to (RFC 8707). */
export function audienceRule({ tokenUse, clientIds, resources }: Audience): Rule {
  return (payload) => {
    const { token_use: use, client_id, aud } = payload
    if (use !== 'access' && use !== 'id') throw refusal('token_use')
    if (tokenUse !== 'either' && use !== tokenUse) throw refusal('token_use')
    const client = use === 'access' ? client_id : aud
    if (typeof client !== 'string' || (clientIds !== null && !clientIds.includes(client))) throw refusal('client')
    if (use === 'id' || resources === null) return
    const bound = typeof aud === 'string' ? [aud] : aud === undefined ? [] : listOf(aud)
    // Without a word about resources, a token that was asked for another API is not for this one. A pre-token trigger may
    // set the audience to the client itself.
    const accepted = resources ?? [client]
    const free = resources === undefined && aud === undefined
    if (!free && !bound.some((resource) => accepted.includes(resource as string))) throw refusal('resource')
  }
}

/** Rules for what else is asked of a token; none when nothing is. */
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

/** Runs the caller's own check. Answers at once when it does. */
export function runCheck(
  check: Exclude<Demands['check'], undefined>,
  claims: Payload,
  header: TokenHeader,
): undefined | Promise<undefined> {
  const judge = (verdict: unknown): undefined => {
    if (verdict !== true) throw new TokenRefusedError('custom')
  }
  const fail = (cause: unknown): never => {
    throw cause instanceof TokenRefusedError ? cause : new TokenRefusedError('custom', { cause })
  }
  let verdict: boolean | Promise<boolean>
  try {
    verdict = check(claims as never, header)
  } catch (error) {
    return fail(error)
  }
  return verdict instanceof Promise ? verdict.catch(fail).then(judge) : judge(verdict)
}
