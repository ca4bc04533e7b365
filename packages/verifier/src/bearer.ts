/**
 * Bearer tokens in HTTP (RFC 6750): taken from the Authorization header, and what a request without a good one is answered.
 * Shared by all middleware.
 */
import type { ClaimsOf, Demands, TokenUse } from './claims.ts'
import {
  InsufficientTokenError,
  KeysUnavailableError,
  RequestError,
  TokenMissingError,
  TokenRefusedError,
  type VerifierError,
} from './errors.ts'
import { refuseUnknown } from './known-options.ts'
import { DEMAND_NAMES, furtherRulesFrom } from './settings.ts'
import type { Verifier } from './verifier.ts'

/** Further demands (`scopes`, `groups` ...) hold for the requests that this middleware sees, besides those of the pool. */
export type BearerOptions<Use extends TokenUse = TokenUse> = Demands<Use> & {
  /** Of the WWW-Authenticate header. Default none. */
  readonly realm?: string
  /** `true`: a request without a token passes, without claims. A token that is not good is refused all the same. */
  readonly optional?: boolean
  /** Sees each refusal, for logs. `check` tells the reason, which the client is not told in full. */
  readonly onRefused?: (error: BearerError) => void
}

/** What a request is refused with. Anything else is a fault, and passed on as it is. */
export type BearerError = TokenMissingError | RequestError | TokenRefusedError | KeysUnavailableError

/** An answer, before a framework sends it. */
export type Refusal = {
  readonly status: 400 | 401 | 403 | 503
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const FORM = /^bearer +([\w\-.~+/]+=*) *$/i
const RETRY_AFTER_SECONDS = '5'

/**
 * The token of an Authorization header. Another scheme counts as none.
 * @throws TokenMissingError, RequestError
 */
export function bearerToken(authorization: string | null | undefined): string {
  if (authorization == null || !/^bearer(\s|$)/i.test(authorization)) throw new TokenMissingError()
  const token = FORM.exec(authorization)?.[1]
  if (token === undefined) throw new RequestError()
  return token
}

/** Takes the token from a header and verifies it, as one middleware is to do for each request. */
export function createGuard<Use extends TokenUse>(verifier: Verifier<Use>, options: BearerOptions<Use> = {}) {
  refuseUnknown(options, ['realm', 'optional', 'onRefused', ...DEMAND_NAMES], 'the middleware')
  const { realm, optional = false, onRefused, ...demands } = options
  if (realm !== undefined && !/^[ !#-[\]-~]*$/.test(realm)) {
    throw new TypeError("'realm' must be printable ASCII without quotes and backslashes")
  }
  const further = furtherFrom<Use>(demands)

  /** Undefined without a token, when one is optional. @throws BearerError */
  async function authenticate(authorization: string | null | undefined): Promise<ClaimsOf<Use> | undefined> {
    try {
      return await verifier.verify(bearerToken(authorization), further)
    } catch (error) {
      if (optional && error instanceof TokenMissingError) return undefined
      if (isBearerError(error)) onRefused?.(error)
      throw error
    }
  }

  return { authenticate, refusalFor: (error: unknown) => refusalFor(error, realm) }
}

/** Demands besides the pool's, if there are any. @throws VerifierOptionsError here, and not at the first request */
export function furtherFrom<Use extends TokenUse>(demands: object): Demands<Use> | undefined {
  if (Object.keys(demands).length === 0) return undefined
  furtherRulesFrom(demands)
  return demands
}

const isBearerError = (error: unknown): error is BearerError =>
  error instanceof TokenRefusedError ||
  error instanceof TokenMissingError ||
  error instanceof RequestError ||
  error instanceof KeysUnavailableError

/** The answer to a request that was refused. @throws the error itself when it is not of this package */
export function refusalFor(error: unknown, realm?: string): Refusal {
  if (!isBearerError(error)) throw error
  const { status } = error
  const type = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  if (error instanceof KeysUnavailableError) {
    // What the addresses said is for the operator alone.
    const body = bodyOf('temporarily_unavailable', 'The token cannot be verified at the moment')
    return { status, headers: { ...type, 'retry-after': RETRY_AFTER_SECONDS }, body }
  }
  const parameters = realm === undefined ? [] : [`realm="${realm}"`]
  if (error instanceof TokenMissingError) {
    // Without a token the client is told no error (RFC 6750 section 3.1).
    const challenge = ['Bearer', parameters.join(', ')].join(' ').trim()
    return { status, headers: { ...type, 'www-authenticate': challenge }, body: bodyOf('unauthorized', error.message) }
  }
  const description = describe(error)
  parameters.push(`error="${error.code}"`, `error_description="${description}"`)
  if (error instanceof InsufficientTokenError && error.check === 'scopes') {
    parameters.push(`scope="${error.required.filter((scope) => /^[!#-[\]-~]+$/.test(scope)).join(' ')}"`)
  }
  const headers = { ...type, 'www-authenticate': `Bearer ${parameters.join(', ')}` }
  return { status, headers, body: bodyOf(error.code, description) }
}

const bodyOf = (error: string, description: string) => JSON.stringify({ error, error_description: description })

/** Only what a client can act on: to refresh, or to ask for more. Which check failed else would help to forge. */
function describe(error: VerifierError): string {
  if (error instanceof RequestError) return 'The Authorization header has to be of the form: Bearer <token>'
  return error.check === 'exp' || error instanceof InsufficientTokenError ? error.message : 'The token is not valid'
}
