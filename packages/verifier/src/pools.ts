/** Where the tokens of a pool come from: its issuers, and the addresses of its keys. */
import { VerifierOptionsError } from './errors.ts'
import { refuseUnknown } from './known-options.ts'

export type PoolAddresses = {
  /** Each `iss` that tokens of the pool may carry. All of them are signed with the pool's one set of keys. */
  readonly issuers: readonly string[]
  /** Where that set is published, in the order of authority. Default: of each issuer, `<iss>/.well-known/jwks.json`. */
  readonly jwksUris?: readonly string[]
}

const KEYS_PATH = '/.well-known/jwks.json'
const POOL_ID = /^([a-z]{2}(?:-[a-z]+)+-\d+)_[0-9A-Za-z]+$/
const REGION = /^[a-z]{2}(-[a-z]+)+-\d+$/

const domainOf = (region: string) => (region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com')

/** The address of the keys of an issuer. */
export const jwksUriOf = (issuer: string) => `${issuer.replace(/\/$/, '')}${KEYS_PATH}`

type CognitoPool = {
  /** `<primary region>_<letters and digits>`; a replica has the same. */
  readonly userPoolId: string
  /** All regions in which the pool lives. Default: that of its id. */
  readonly regions?: readonly string[]
}

/**
 * A pool of Amazon Cognito: the ORIGINAL issuer of each of its regions, and the UPDATED one, which carries the primary's name
 * and is served from several regions. Tokens outlive a switch of the issuer, so that all are accepted.
 *
 * @throws VerifierOptionsError
 */
export function cognitoPool(options: CognitoPool): Required<PoolAddresses> {
  refuseUnknown(options, ['userPoolId', 'regions'], 'cognitoPool')
  const { userPoolId, regions } = options
  const home = POOL_ID.exec(userPoolId)?.[1]
  if (home === undefined) throw new VerifierOptionsError("'userPoolId' is not the id of a user pool")
  const all = [...new Set([home, ...(regions ?? [])])]
  for (const region of all) if (!REGION.test(region)) throw new VerifierOptionsError("'regions' names no region of AWS")
  const original = all.map((region) => `https://cognito-idp.${region}.${domainOf(region)}/${userPoolId}`)
  const updated = `https://issuer-cognito-idp.${home}.${domainOf(home)}/${userPoolId}`
  // The home region has the most authority. The shared name comes last, since a pool whose issuer is ORIGINAL may lack it.
  const issuers = [...original, updated]
  return { issuers, jwksUris: issuers.map(jwksUriOf) }
}

type SelfHostedPool = {
  readonly userPoolId: string
  /** Endpoint of each region, the primary's first: `https://users.us-west-2.example.com`. */
  readonly endpoints: readonly string[]
  /** Base of the UPDATED issuer, which all regions share. */
  readonly sharedIssuerBase?: string
}

/**
 * A pool of Twinpool's own: the ORIGINAL issuer of each region, and the shared one.
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
