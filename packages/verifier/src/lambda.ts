/**
 * Lambda authorizers of API Gateway. A token that is missing or not good becomes 401, one that does not reach 403, and keys
 * that cannot be fetched 500: an authorizer has no other answers.
 */
import { type BearerError, bearerToken, furtherFrom } from './bearer.ts'
import type { ClaimsOf, Demands, TokenUse } from './claims.ts'
import { InsufficientTokenError, KeysUnavailableError, VerifierError } from './errors.ts'
import { refuseUnknown } from './known-options.ts'
import { DEMAND_NAMES } from './settings.ts'
import type { Verifier } from './verifier.ts'

export type { BearerError } from './bearer.ts'

type Headers = Readonly<Record<string, string | undefined>> | null | undefined

/** Of a REST or WebSocket API, type TOKEN. */
export type TokenEvent = { readonly type: 'TOKEN'; readonly methodArn: string; readonly authorizationToken: string }
/** Of a REST or WebSocket API, type REQUEST, or of an HTTP API with payload format 1.0. */
export type RequestEvent = { readonly type: 'REQUEST'; readonly methodArn: string; readonly headers?: Headers }
/** Of an HTTP API with payload format 2.0. */
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
  /** Where the token is. Default: the Authorization header (`authorizationToken` of a TOKEN event), with or without "Bearer". */
  readonly token?: (event: Event) => string | null | undefined
  /**
   * What a policy allows: every method of the stage (default), or the one that was called. API Gateway caches a policy and uses it
   * for the same token's other calls, which `method` would deny: turn its cache off then.
   */
  readonly allow?: 'stage' | 'method'
  /** What the API sees of the claims. Default: sub, client_id, scope, username, groups (as JSON). REST takes plain values only. */
  readonly context?: (claims: ClaimsOf<Use>) => Record<string, Scalar>
  /** Sees each refusal, for logs. */
  readonly onRefused?: (error: BearerError) => void
  /**
   * For so long the answer waits for a refresh of the keys that is under way: Lambda stops the process once it has answered.
   * Default 200 ms; 0 never waits.
   */
  readonly settleMs?: number
}

/** The text that makes API Gateway answer 401. */
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
      // A fault of the set-up, or an outage: neither is the caller's, and 401 would sign people out.
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

/** An authorizer of a REST or WebSocket API, type TOKEN or REQUEST; of an HTTP API too, with formats 1.0. */
export function restAuthorizer<Use extends TokenUse>(
  verifier: Verifier<Use>,
  options: AuthorizerOptions<Use, TokenEvent | RequestEvent> = {},
): (event: TokenEvent | RequestEvent) => Promise<Policy> {
  const { decide, policy } = createAuthorizer(verifier, options)
  return async (event) => policy(await decide(event), event.methodArn)
}

/**
 * An authorizer of an HTTP API with payload format 2.0. `response` has to be what the authorizer is set to: `simple` where
 * EnableSimpleResponses is on, else `policy`.
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
  // REST APIs pass header names as the client wrote them, HTTP APIs in lower case.
  return Object.entries(event.headers ?? {}).find(([name]) => name.toLowerCase() === 'authorization')?.[1]
}

/** Clients of COGNITO_USER_POOLS authorizers send the bare token, so that it is taken as well. */
function tokenFrom(value: string | null | undefined): string {
  return value != null && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(value) ? value : bearerToken(value)
}

/** `arn:aws:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>` to all methods and paths of the stage. */
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
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([verifier.settled(), patience])
  clearTimeout(timer)
}
