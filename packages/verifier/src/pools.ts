/** The issuers of a pool and the addresses of its keys. */
import { VerifierOptionsError } from './errors.ts'
import { refuseUnknown } from './known-options.ts'

export type PoolAddresses = {
  /** Every `iss` that tokens of the pool may have. The pool signs all of them with one set of keys. */
  readonly issuers: readonly string[]
  /** Addresses that publish that set, in order of authority. Default: `<iss>/.well-known/jwks.json` of each issuer. */
  readonly jwksUris?: readonly string[]
}

const KEYS_PATH = '/.well-known/jwks.json'
const POOL_ID = /^([a-z]{2}(?:-[a-z]+)+-\d+)_[0-9A-Za-z]+$/
const REGION = /^[a-z]{2}(-[a-z]+)+-\d+$/

const domainOf = (region: string) => (region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com')

/** The JWKS address of an issuer. */
export const jwksUriOf = (issuer: string) => `${issuer.replace(/\/$/, '')}${KEYS_PATH}`

type CognitoPool = {
  /** `<primary region>_<letters and digits>`; a replica has the same id. */
  readonly userPoolId: string
  /** All regions of the pool. Default: the region in its id. */
  readonly regions?: readonly string[]
}

/**
 * A pool of Amazon Cognito: the ORIGINAL issuer of each region, and the UPDATED issuer, which has the primary's name and is
 * served from several regions. All are accepted, because tokens stay valid after a switch of the issuer.
 *
 * @throws VerifierOptionsError
 */
export function cognitoPool(options: CognitoPool): Required<PoolAddresses> {
  refuseUnknown(options, ['userPoolId', 'regions'], 'cognitoPool')
  const { userPoolId, regions } = options
  const home = POOL_ID.exec(userPoolId)?.[1]
  if (home === undefined) throw new VerifierOptionsError("'userPoolId' is not the id of a user pool")
  const all = [...new Set([home, ...(regions ?? [])])]
  for (const region of all)
    if (!REGION.test(region))
      throw new VerifierOptionsError("'regions' has a value that is not the name of an AWS region")
  const original = all.map((region) => `https://cognito-idp.${region}.${domainOf(region)}/${userPoolId}`)
  const updated = `https://issuer-cognito-idp.${home}.${domainOf(home)}/${userPoolId}`
  // The home region has the highest authority. The shared name comes last: a pool whose issuer is ORIGINAL may not have
  // it.
  const issuers = [...original, updated]
  return { issuers, jwksUris: issuers.map(jwksUriOf) }
}

type SelfHostedPool = {
  readonly userPoolId: string
  /** Endpoint of each region, the primary first: `https://users.us-west-2.example.com`. */
  readonly endpoints: readonly string[]
  /** Base URL of the UPDATED issuer, which all regions share. */
  readonly sharedIssuerBase?: string
}

/**
 * A pool of Twinpool: the ORIGINAL issuer of each region, and the shared issuer.
 *
 * @throws VerifierOptionsError
 */
export function selfHostedPool(options: SelfHostedPool): Required<PoolAddresses> {
  refuseUnknown(options, ['userPoolId', 'endpoints', 'sharedIssuerBase'], 'selfHostedPool')
  const { userPoolId, endpoints, sharedIssuerBase } = options
  const bases = sharedIssuerBase === undefined ? endpoints : [...endpoints, sharedIssuerBase]
  const issuers = bases.map((base) => `${base.replace(/\/$/, '')}/${userPoolId}`)
  return { issuers, jwksUris: issuers.map(jwksUriOf) }
}
