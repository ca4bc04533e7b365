/**
 * The reasons to refuse a token, one per check, in the order of the checks. `http` and `oauth` are the status and error
 * code of a resource server's response (RFC 6750 section 3.1). No message contains a part of a token or the value of a claim.
 */
const REFUSALS = {
  structure: { http: 401, oauth: 'invalid_token', message: 'The token is not a signed JWT' },
  alg: { http: 401, oauth: 'invalid_token', message: 'The token is not signed with RS256' },
  iss: { http: 401, oauth: 'invalid_token', message: 'The issuer of the token is not configured' },
  kid: {
    http: 401,
    oauth: 'invalid_token',
    message: 'The token is signed with a key that its issuer does not publish',
  },
  signature: { http: 401, oauth: 'invalid_token', message: 'The signature of the token is invalid' },
  exp: { http: 401, oauth: 'invalid_token', message: 'The token has expired' },
  nbf: { http: 401, oauth: 'invalid_token', message: 'The token is not valid yet' },
  iat: { http: 401, oauth: 'invalid_token', message: 'The token was issued in the future' },
  token_use: { http: 401, oauth: 'invalid_token', message: 'The token has another token_use' },
  client: { http: 401, oauth: 'invalid_token', message: 'The token was issued to a client that is not accepted' },
  resource: { http: 401, oauth: 'invalid_token', message: 'The token is bound to another resource' },
  claims: { http: 401, oauth: 'invalid_token', message: 'The token lacks a required claim' },
  custom: { http: 401, oauth: 'invalid_token', message: 'The token failed the check of the application' },
  scopes: { http: 403, oauth: 'insufficient_scope', message: 'The token lacks a required scope' },
  groups: { http: 403, oauth: 'insufficient_scope', message: 'The user is not in a required group' },
} as const

/** The check that a token failed. */
export type TokenCheck = keyof typeof REFUSALS

/**
 * The check of any error of this package: a check of the token, or `token` (missing), `request`, `keys`, `jwks`,
 * `options`.
 */
export type Check = TokenCheck | 'token' | 'request' | 'keys' | 'jwks' | 'options'

/** Base class of this package's errors. */
export class VerifierError extends Error {
  override readonly name: string = 'VerifierError'
  readonly check: Check
  constructor(check: Check, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.check = check
  }
}

/** The token must not be trusted. `check` is the reason; `claim` names the claim if a requirement on a claim failed. */
export class TokenRefusedError extends VerifierError {
  override readonly name: string = 'TokenRefusedError'
  declare readonly check: TokenCheck
  readonly claim: string | undefined
  constructor(check: TokenCheck, { claim, cause }: { claim?: string; cause?: unknown } = {}) {
    super(check, REFUSALS[check].message, cause === undefined ? undefined : { cause })
    this.claim = claim
  }
  /** 401, or 403 if the token is valid but lacks permission. */
  get status(): 401 | 403 {
    return REFUSALS[this.check].http
  }
  /** RFC 6750 section 3.1. */
  get code(): 'invalid_token' | 'insufficient_scope' {
    return REFUSALS[this.check].oauth
  }
}

/** The token has expired. The client should refresh it and repeat the request. */
export class TokenExpiredError extends TokenRefusedError {
  override readonly name = 'TokenExpiredError'
  constructor() {
    super('exp')
  }
}

/** The token is valid but lacks a scope or group. `required` lists the required values. */
export class InsufficientTokenError extends TokenRefusedError {
  override readonly name = 'InsufficientTokenError'
  readonly required: readonly string[]
  constructor(check: 'scopes' | 'groups', required: readonly string[]) {
    super(check)
    this.required = required
  }
}

/** The request carries no token. */
export class TokenMissingError extends VerifierError {
  override readonly name = 'TokenMissingError'
  readonly status = 401
  constructor() {
    super('token', 'The request carries no bearer token')
  }
}

/** The Authorization header does not have the form `Bearer <token>`. */
export class RequestError extends VerifierError {
  override readonly name = 'RequestError'
  readonly status = 400
  readonly code = 'invalid_request'
  constructor() {
    super('request', 'The Authorization header does not have the form "Bearer <token>"')
  }
}

/**
 * The token could not be verified: its issuer's keys could not be fetched, and the cached keys are missing or too old. The
 * token may be valid: respond with 503 so that the client retries. `cause` has the error of each address.
 */
export class KeysUnavailableError extends VerifierError {
  override readonly name = 'KeysUnavailableError'
  readonly status = 503
  constructor(message: string, options?: { cause?: unknown }) {
    super('keys', message, options)
  }
}

/** An address did not serve a JSON Web Key Set, or a seed does not hold one. */
export class JwksError extends VerifierError {
  override readonly name = 'JwksError'
  /** The address, unless the error concerns a seed. */
  readonly address: string | undefined
  constructor(message: string, { address, cause }: { address?: string; cause?: unknown } = {}) {
    super(
      'jwks',
      address === undefined ? message : `${address}: ${message}`,
      cause === undefined ? undefined : { cause },
    )
    this.address = address
  }
}

/** The options contradict each other or omit a value that security depends on. */
export class VerifierOptionsError extends VerifierError {
  override readonly name = 'VerifierOptionsError'
  constructor(message: string, options?: { cause?: unknown }) {
    super('options', message, options)
  }
}

/** Creates the error for a failed check. */
export function refusal(check: TokenCheck): TokenRefusedError {
  return check === 'exp' ? new TokenExpiredError() : new TokenRefusedError(check)
}
