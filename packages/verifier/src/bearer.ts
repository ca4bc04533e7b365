/**
 * Bearer tokens in HTTP (RFC 6750): reads the token from the Authorization header, and builds the response to a request
 * without a valid token. Shared by all middleware.
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

/** Requirements (`scopes`, `groups` ...) given here apply to this middleware's requests, in addition to the pool's. */
export type BearerOptions<Use extends TokenUse = TokenUse> = Demands<Use> & {
  /** Realm in the WWW-Authenticate header. Default: none. */
  readonly realm?: string
  /** `true`: a request without a token passes, without claims. An invalid token is still refused. */
  readonly optional?: boolean
  /**
   * Called for each refusal, for logging. `check` names the reason, which the response to the client does not reveal in
   * full.
   */
  readonly onRefused?: (error: BearerError) => void
}

/** The errors that lead to a refusal. Any other error is a fault and is rethrown unchanged. */
export type BearerError = TokenMissingError | RequestError | TokenRefusedError | KeysUnavailableError

/** A response in framework-neutral form. */
export type Refusal = {
  readonly status: 400 | 401 | 403 | 503
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const FORM = /^bearer +([\w\-.~+/]+=*) *$/i
const RETRY_AFTER_SECONDS = '5'

/**
 * Returns the token of an Authorization header. Any other scheme counts as no token.
 * @throws TokenMissingError, RequestError
 */
export function bearerToken(authorization: string | null | undefined): string {
  if (authorization == null || !/^bearer(\s|$)/i.test(authorization)) throw new TokenMissingError()
  const token = FORM.exec(authorization)?.[1]
  if (token === undefined) throw new RequestError()
  return token
}

/** Creates the per-request check of a middleware: read the token from the header and verify it. */
export function createGuard<Use extends TokenUse>(verifier: Verifier<Use>, options: BearerOptions<Use> = {}) {
  refuseUnknown(options, ['realm', 'optional', 'onRefused', ...DEMAND_NAMES], 'the middleware')
  const { realm, optional = false, onRefused, ...demands } = options
  if (realm !== undefined && !/^[ !#-[\]-~]*$/.test(realm)) {
    throw new TypeError("'realm' must be printable ASCII without quotes and backslashes")
  }
  const further = furtherFrom<Use>(demands)

  /** Returns the claims, or undefined if the token is missing and optional. @throws BearerError */
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

/**
 * Returns the requirements, or undefined if there are none. @throws VerifierOptionsError at once, not at the first
 * request
 */
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

/** The response to a refused request. @throws the error itself unless it is a BearerError */
export function refusalFor(error: unknown, realm?: string): Refusal {
  if (!isBearerError(error)) throw error
  const { status } = error
  const type = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  if (error instanceof KeysUnavailableError) {
    // The errors of the addresses are for the operator only.
    const body = bodyOf('temporarily_unavailable', 'The token cannot be verified at the moment')
    return { status, headers: { ...type, 'retry-after': RETRY_AFTER_SECONDS }, body }
  }
  const parameters = realm === undefined ? [] : [`realm="${realm}"`]
  if (error instanceof TokenMissingError) {
    // For a request without a token, the response must not contain an error code (RFC 6750 section 3.1).
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

/**
 * Describes only errors that the client can act on, by a refresh or by requesting more scopes. Other details would help
 * a forger.
 */
function describe(error: VerifierError): string {
  if (error instanceof RequestError) return 'The Authorization header must have the form: Bearer <token>'
  return error.check === 'exp' || error instanceof InsufficientTokenError ? error.message : 'The token is not valid'
}
