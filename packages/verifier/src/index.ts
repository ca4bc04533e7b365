export type { AccessClaims, ClaimsOf, Demand, Demands, IdClaims, TokenUse } from './claims.ts'
export type { Clock } from './clock.ts'
export {
  type Check,
  InsufficientTokenError,
  JwksError,
  KeysUnavailableError,
  RequestError,
  type TokenCheck,
  TokenExpiredError,
  TokenMissingError,
  TokenRefusedError,
  VerifierError,
  VerifierOptionsError,
} from './errors.ts'
export type { VerifierEvent } from './events.ts'
export type { Fetch, Jwks } from './jwks.ts'
export type { TokenHeader } from './jws.ts'
export type { KeyState, Seed, SeedSnapshot } from './keys.ts'
export { cognitoPool, jwksUriOf, type PoolAddresses, selfHostedPool } from './pools.ts'
export type { PoolOptions, VerifierOptions } from './settings.ts'
export { nodeSignatures, type Signatures, webSignatures } from './signatures.ts'
export { createVerifier, type Verifier } from './verifier.ts'
