/** Middleware for Express and other frameworks with `(request, response, next)`. */
import { type BearerOptions, createGuard, type Refusal } from './bearer.ts'
import type { ClaimsOf, TokenUse } from './claims.ts'
import type { Verifier } from './verifier.ts'

export type { BearerError, BearerOptions } from './bearer.ts'

type Request = { readonly headers: { readonly authorization?: string | undefined } }
type Response = {
  statusCode: number
  setHeader(name: string, value: string): unknown
  end(body: string): unknown
}
type Next = (error?: unknown) => void

/** A request that has passed. `auth` is undefined only if the token is optional and missing. */
export type Authenticated<Use extends TokenUse = TokenUse> = { auth?: ClaimsOf<Use> }

/**
 * Lets requests with a valid bearer token pass and puts the claims into `request.auth`. Responds to other requests with
 * 400, 401, 403 or 503 (RFC 6750). With `respond: false`, passes the error to `next` instead, with the `status` and
 * `headers` that Express reads.
 */
export function requireToken<Use extends TokenUse>(
  verifier: Verifier<Use>,
  { respond = true, ...options }: BearerOptions<Use> & { readonly respond?: boolean } = {},
) {
  const guard = createGuard(verifier, options as BearerOptions<Use>)
  return (request: Request, response: Response, next: Next): void => {
    guard.authenticate(request.headers.authorization).then(
      (claims) => {
        ;(request as Authenticated<Use>).auth = claims
        next()
      },
      (error) => {
        let refusal: Refusal
        try {
          refusal = guard.refusalFor(error)
        } catch (fault) {
          next(fault)
          return
        }
        const { status, headers, body } = refusal
        if (!respond) {
          next(Object.assign(error, { headers: { ...headers } }))
          return
        }
        response.statusCode = status
        for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
        response.end(body)
      },
    )
  }
}
