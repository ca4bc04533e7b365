/** A hook for Fastify: `app.addHook('onRequest', requireToken(verifier))`, or the `onRequest` option of a route. */
import { type BearerOptions, createGuard } from './bearer.ts'
import type { ClaimsOf, TokenUse } from './claims.ts'
import type { Verifier } from './verifier.ts'

export type { BearerError, BearerOptions } from './bearer.ts'

type Request = { readonly headers: { readonly authorization?: string | undefined } }
type Reply = {
  code(status: number): unknown
  headers(headers: Record<string, string>): unknown
  send(body: string): unknown
}

/**
 * A request that has passed. Call `app.decorateRequest('auth')` once, as Fastify advises for properties that hooks add.
 */
export type Authenticated<Use extends TokenUse = TokenUse> = { auth?: ClaimsOf<Use> }

/** Lets requests with a valid bearer token pass, with the claims in `request.auth`. Refuses others as in RFC 6750. */
export function requireToken<Use extends TokenUse>(verifier: Verifier<Use>, options?: BearerOptions<Use>) {
  const guard = createGuard(verifier, options)
  return async (request: Request, reply: Reply): Promise<unknown> => {
    try {
      ;(request as Authenticated<Use>).auth = await guard.authenticate(request.headers.authorization)
      return undefined
    } catch (error) {
      const { status, headers, body } = guard.refusalFor(error)
      reply.code(status)
      reply.headers({ ...headers })
      reply.send(body)
      return reply
    }
  }
}
