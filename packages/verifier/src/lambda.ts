/**
 * Lambda authorizers for API Gateway. A missing or invalid token results in 401, a token without permission in 403, and
 * keys that cannot be fetched in 500: an authorizer has no other responses.
 */
import { type BearerError, bearerToken, furtherFrom } from './bearer.ts'
import type { ClaimsOf, Demands, TokenUse } from './claims.ts'
import { InsufficientTokenError, KeysUnavailableError, VerifierError } from './errors.ts'
import { refuseUnknown } from './known-options.ts'
import { DEMAND_NAMES } from './settings.ts'
import type { Verifier } from './verifier.ts'

export type { BearerError } from './bearer.ts'

type Headers = Readonly<Record<string, string | undefined>> | null | undefined

/** Event of a REST or WebSocket API, type TOKEN. */
export type TokenEvent = { readonly type: 'TOKEN'; readonly methodArn: string; readonly authorizationToken: string }
/** Event of a REST or WebSocket API, type REQUEST, or of an HTTP API with payload format 1.0. */
export type RequestEvent = { readonly type: 'REQUEST'; readonly methodArn: string; readonly headers?: Headers }
/** Event of an HTTP API with payload format 2.0. */
export type HttpEvent = {
  readonly version: '2.0'
  readonly type: 'REQUEST'
  readonly routeArn: string
  readonly headers?: Headers
}

type Scalar = string | number | boolean

export type Policy = {
  principalId: string
  policyDocument: {
    Version: '2012-10-17'
    Statement: { Action: 'execute-api:Invoke'; Effect: 'Allow' | 'Deny'; Resource: string }[]
  }
  context: Record<string, Scalar>
}
export type SimpleResponse = { isAuthorized: boolean; context: Record<string, unknown> }

export type AuthorizerOptions<Use extends TokenUse, Event> = Demands<Use> & {
  /**
   * Returns the token of an event. Default: the Authorization header (`authorizationToken` of a TOKEN event), with or
   * without "Bearer".
   */
  readonly token?: (event: Event) => string | null | undefined
  /**
   * What a policy allows: every method of the stage (default), or only the called method. API Gateway caches a policy and
   * reuses it for other calls with the same token, which `method` would deny: turn that cache off with `method`.
   */
  readonly allow?: 'stage' | 'method'
  /**
   * The claims to pass to the API. Default: sub, client_id, scope, username, groups (as JSON). REST APIs accept scalar
   * values only.
   */
  readonly context?: (claims: ClaimsOf<Use>) => Record<string, Scalar>
  /** Called for each refusal, for logging. */
  readonly onRefused?: (error: BearerError) => void
  /**
   * Maximum time to wait for a key refresh in progress before responding, because Lambda freezes the process after the
   * response. Default 200 ms; 0 never waits.
   */
  readonly settleMs?: number
}

/** The error message that makes API Gateway respond with 401. */
const UNAUTHORIZED = 'Unauthorized'

function createAuthorizer<Use extends TokenUse, Event extends TokenEvent | RequestEvent | HttpEvent>(
  verifier: Verifier<Use>,
  options: AuthorizerOptions<Use, Event>,
) {
  refuseUnknown(options, ['token', 'allow', 'context', 'onRefused', 'settleMs', ...DEMAND_NAMES], 'the authorizer')
  const { token = headerOf, allow = 'stage', context = contextOf, onRefused, settleMs = 200, ...demands } = options
  const further = furtherFrom<Use>(demands)

  /** @throws Error `Unauthorized`, or KeysUnavailableError */
  async function decide(
    event: Event,
  ): Promise<{ effect: 'Allow' | 'Deny'; principalId: string; context: Record<string, Scalar> }> {
    try {
      const claims = await verifier.verify(tokenFrom(token(event)), further)
      return { effect: 'Allow', principalId: claims.sub, context: context(claims) }
    } catch (error) {
      if (error instanceof VerifierError) onRefused?.(error as BearerError)
      // A faulty setup or an outage is not the caller's fault, and a 401 would sign users out.
      if (!(error instanceof VerifierError) || error instanceof KeysUnavailableError) throw error
      if (error instanceof InsufficientTokenError) return { effect: 'Deny', principalId: 'refused', context: {} }
      throw new Error(UNAUTHORIZED)
    } finally {
      if (settleMs > 0) await settledWithin(verifier, settleMs)
    }
  }

  function policy({ effect, principalId, context }: Awaited<ReturnType<typeof decide>>, arn: string): Policy {
    const Resource = allow === 'stage' ? stageOf(arn) : arn
    const Statement = [{ Action: 'execute-api:Invoke' as const, Effect: effect, Resource }]
    return { principalId, policyDocument: { Version: '2012-10-17', Statement }, context }
  }

  return { decide, policy }
}

/**
 * Creates an authorizer for a REST or WebSocket API, type TOKEN or REQUEST, or for an HTTP API with payload format 1.0.
 */
export function restAuthorizer<Use extends TokenUse>(
  verifier: Verifier<Use>,
  options: AuthorizerOptions<Use, TokenEvent | RequestEvent> = {},
): (event: TokenEvent | RequestEvent) => Promise<Policy> {
  const { decide, policy } = createAuthorizer(verifier, options)
  return async (event) => policy(await decide(event), event.methodArn)
}

/**
 * Creates an authorizer for an HTTP API with payload format 2.0. `response` must match the authorizer's configuration:
 * `simple` if EnableSimpleResponses is on, else `policy`.
 */
export function httpAuthorizer<Use extends TokenUse>(
  verifier: Verifier<Use>,
  options: AuthorizerOptions<Use, HttpEvent> & { readonly response: 'simple' },
): (event: HttpEvent) => Promise<SimpleResponse>
export function httpAuthorizer<Use extends TokenUse>(
  verifier: Verifier<Use>,
  options: AuthorizerOptions<Use, HttpEvent> & { readonly response: 'policy' },
): (event: HttpEvent) => Promise<Policy>
export function httpAuthorizer<Use extends TokenUse>(
  verifier: Verifier<Use>,
  { response, ...options }: AuthorizerOptions<Use, HttpEvent> & { readonly response: 'simple' | 'policy' },
): (event: HttpEvent) => Promise<never> {
  if (response !== 'simple' && response !== 'policy') throw new TypeError("'response' must be 'simple' or 'policy'")
  const { decide, policy } = createAuthorizer(verifier, options as AuthorizerOptions<Use, HttpEvent>)
  return async (event: HttpEvent) => {
    const decision = await decide(event)
    const simple = { isAuthorized: decision.effect === 'Allow', context: decision.context }
    return (response === 'policy' ? policy(decision, event.routeArn) : simple) as never
  }
}

function headerOf(event: TokenEvent | RequestEvent | HttpEvent): string | undefined {
  if (event.type === 'TOKEN') return event.authorizationToken
  // REST APIs pass header names as the client sent them, HTTP APIs in lower case.
  return Object.entries(event.headers ?? {}).find(([name]) => name.toLowerCase() === 'authorization')?.[1]
}

/** Also accepts a bare token, which clients of COGNITO_USER_POOLS authorizers send. */
function tokenFrom(value: string | null | undefined): string {
  return value != null && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(value) ? value : bearerToken(value)
}

/**
 * Turns `arn:aws:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>` into the ARN of all methods and paths of
 * the stage.
 */
const stageOf = (arn: string) => `${arn.split('/').slice(0, 2).join('/')}/*`

function contextOf(claims: ClaimsOf<TokenUse>): Record<string, Scalar> {
  const { sub, scope, username } = claims
  const client = claims.token_use === 'access' ? claims.client_id : claims.aud
  const name = username ?? claims['cognito:username']
  const groups = claims['cognito:groups']
  const context: Record<string, Scalar> = { sub, client_id: client }
  if (typeof scope === 'string') context.scope = scope
  if (typeof name === 'string') context.username = name
  if (groups !== undefined) context.groups = JSON.stringify(groups)
  return context
}

async function settledWithin(verifier: Pick<Verifier, 'settled'>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([verifier.settled(), timeout])
  clearTimeout(timer)
}
