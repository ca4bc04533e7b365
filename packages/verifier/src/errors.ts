/**
 * What can be wrong with a token, each with its check, in the order in which they are made. `http` and `oauth` are what a
 * resource server answers (RFC 6750 section 3.1). No message ever holds a part of a token or the value of a claim.
 */
const REFUSALS = {
  structure: { http: 401, oauth: 'invalid_token', message: 'The token is not a signed JWT' },
  alg: { http: 401, oauth: 'invalid_token', message: 'The token is not signed with RS256' },
  iss: { http: 401, oauth: 'invalid_token', message: 'The token is of an issuer that is not configured' },
  kid: {
    http: 401,
    oauth: 'invalid_token',
    message: 'The token is signed with a key that its issuer does not publish',
  },
  signature: { http: 401, oauth: 'invalid_token', message: 'The signature of the token is not valid' },
  exp: { http: 401, oauth: 'invalid_token', message: 'The token has expired' },
  nbf: { http: 401, oauth: 'invalid_token', message: 'The token is not valid yet' },
  iat: { http: 401, oauth: 'invalid_token', message: 'The token was issued in the future' },
  token_use: { http: 401, oauth: 'invalid_token', message: 'The token is for another use' },
  client: { http: 401, oauth: 'invalid_token', message: 'The token was issued to a client that is not accepted' },
  resource: { http: 401, oauth: 'invalid_token', message: 'The token is bound to another resource' },
  claims: { http: 401, oauth: 'invalid_token', message: 'The token lacks a claim that is required' },
  custom: { http: 401, oauth: 'invalid_token', message: 'The token did not pass the check of the application' },
  scopes: { http: 403, oauth: 'insufficient_scope', message: 'The token lacks a scope that is required' },
  groups: { http: 403, oauth: 'insufficient_scope', message: 'The user is not in a group that is required' },
} as const

/** The check that a token did not pass. */
export type TokenCheck = keyof typeof REFUSALS

/** The check of any error of this package: of the token, or `token` (none came), `request`, `keys`, `jwks`, `options`. */
export type Check = TokenCheck | 'token' | 'request' | 'keys' | 'jwks' | 'options'

/** Base of the errors of this package. */
export class VerifierError extends Error {
  override readonly name: string = 'VerifierError'
  readonly check: Check
  constructor(check: Check, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.check = check
  }
}

/** The token must not be trusted. `check` says why; `claim` names the claim when a required one is the reason. */
export class TokenRefusedError extends VerifierError {
  override readonly name: string = 'TokenRefusedError'
  declare readonly check: TokenCheck
  readonly claim: string | undefined
  constructor(check: TokenCheck, { claim, cause }: { claim?: string; cause?: unknown } = {}) {
    super(check, REFUSALS[check].message, cause === undefined ? undefined : { cause })
    this.claim = claim
  }
  /** 401, or 403 when the token is good and does not reach. */
  get status(): 401 | 403 {
    return REFUSALS[this.check].http
  }
  /** RFC 6750 section 3.1. */
  get code(): 'invalid_token' | 'insufficient_scope' {
    return REFUSALS[this.check].oauth
  }
}

/** The token was good once. A client refreshes it and repeats its request. */
export class TokenExpiredError extends TokenRefusedError {
  override readonly name = 'TokenExpiredError'
  constructor() {
    super('exp')
  }
}

/** The token is good and does not reach: a scope or a group is missing. `required` tells which would have done. */
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

/** The Authorization header has not the form `Bearer <token>`. */
export class RequestError extends VerifierError {
  override readonly name = 'RequestError'
  readonly status = 400
  readonly code = 'invalid_request'
  constructor() {
    super('request', 'The Authorization header is not of the form "Bearer <token>"')
  }
}

/**
 * Whether the token is good cannot be told: its issuer's keys could not be fetched, and those at hand are missing or too
 * old. Not the token's fault: answer 503, and let the client repeat its request. `cause` has what each address said.
 */
export class KeysUnavailableError extends VerifierError {
  override readonly name = 'KeysUnavailableError'
  readonly status = 503
  constructor(message: string, options?: { cause?: unknown }) {
    super('keys', message, options)
  }
}

/** What an address served, or a seed holds, is not a JSON Web Key Set, or an address did not serve one. */
export class JwksError extends VerifierError {
  override readonly name = 'JwksError'
  /** The address, when it was one. */
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

/** The verifier was set up with options that contradict each other, or leave out what decides about security. */
export class VerifierOptionsError extends VerifierError {
  override readonly name = 'VerifierOptionsError'
  constructor(message: string, options?: { cause?: unknown }) {
    super('options', message, options)
  }
}

/** The error for a check that was not passed. */
export function refusal(check: TokenCheck): TokenRefusedError {
  return check === 'exp' ? new TokenExpiredError() : new TokenRefusedError(check)
}
