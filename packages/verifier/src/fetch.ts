/** For servers that map a `Request` to a `Response`: Workers, Deno, Bun, Next.js route handlers. */
import { type BearerOptions, createGuard } from './bearer.ts'
import type { ClaimsOf, TokenUse } from './claims.ts'
import type { Verifier } from './verifier.ts'

export type { BearerError, BearerOptions } from './bearer.ts'

type RequestLike = { readonly headers: { get(name: string): string | null } }

/** The claims of a request, or the response that refuses it. */
export type Outcome<Use extends TokenUse> =
  | { readonly claims: ClaimsOf<Use>; readonly response?: undefined }
  | { readonly claims?: undefined; readonly response: Response }

type Required<Use extends TokenUse> = BearerOptions<Use> & { readonly optional?: false }

/**
 * `const { claims, response } = await check(request); if (response) return response`
 *
 * The response refuses the request as in RFC 6750. With `optional`, both are undefined if the request has no token.
 */
export function requireToken<Use extends TokenUse>(
  verifier: Verifier<Use>,
  options?: Required<Use>,
): (request: RequestLike) => Promise<Outcome<Use>>
export function requireToken<Use extends TokenUse>(
  verifier: Verifier<Use>,
  options: BearerOptions<Use>,
): (request: RequestLike) => Promise<Outcome<Use> | { readonly claims?: undefined; readonly response?: undefined }>
export function requireToken<Use extends TokenUse>(verifier: Verifier<Use>, options?: BearerOptions<Use>) {
  const guard = createGuard(verifier, options)
  return async (request: RequestLike) => {
    try {
      return { claims: await guard.authenticate(request.headers.get('authorization')) }
    } catch (error) {
      const { body, ...init } = guard.refusalFor(error)
      return { response: new Response(body, init) }
    }
  }
}

/**
 * Wraps a handler so that it is called only with a valid token: `export default { fetch: withToken(verifier, (request,
 * claims) => ...) }`.
 */
export function withToken<Use extends TokenUse, Req extends RequestLike, Rest extends unknown[]>(
  verifier: Verifier<Use>,
  handler: (request: Req, claims: ClaimsOf<Use>, ...rest: Rest) => Response | Promise<Response>,
  options?: Required<Use>,
): (request: Req, ...rest: Rest) => Promise<Response> {
  const check = requireToken(verifier, options)
  return async (request, ...rest) => {
    const { claims, response } = await check(request)
    return response ?? handler(request, claims as ClaimsOf<Use>, ...rest)
  }
}
