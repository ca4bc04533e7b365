/** Middleware for Hono: `app.use('/api/*', requireToken(verifier))`. */
import { type BearerOptions, createGuard } from './bearer.ts'
import type { ClaimsOf, TokenUse } from './claims.ts'
import type { Verifier } from './verifier.ts'

export type { BearerError, BearerOptions } from './bearer.ts'

type Context = {
  readonly req: { header(name: string): string | undefined }
  set(name: string, value: unknown): void
}

/** For `new Hono<AuthEnv<'access'>>()`: the type of `c.get('auth')`. */
export type AuthEnv<Use extends TokenUse = TokenUse> = { Variables: { auth: ClaimsOf<Use> } }

/** Lets requests with a valid bearer token pass, with the claims in `c.get('auth')`. Refuses others as in RFC 6750. */
export function requireToken<Use extends TokenUse>(verifier: Verifier<Use>, options?: BearerOptions<Use>) {
  const guard = createGuard(verifier, options)
  return async (c: Context, next: () => Promise<void>): Promise<Response | undefined> => {
    let claims: ClaimsOf<Use> | undefined
    try {
      claims = await guard.authenticate(c.req.header('authorization'))
    } catch (error) {
      const { body, ...init } = guard.refusalFor(error)
      return new Response(body, init)
    }
    c.set('auth', claims)
    await next()
    return undefined
  }
}
