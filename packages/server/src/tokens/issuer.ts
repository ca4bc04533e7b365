/** The base URLs of issuers; see Context. */
export interface IssuerAddresses {
  endpoint: string
  endpoints: Readonly<Record<string, string>>
  issuerBase: string
}

export type IssuerType = 'ORIGINAL' | 'UPDATED'

/**
 * The `iss` of a pool's tokens, the same in all its regions. ORIGINAL: the endpoint of the region in the pool's id. UPDATED: an
 * address that works as long as one region is up.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-multi-region-replication.html
 */
export function issuerOf(
  { endpoint, endpoints, issuerBase }: IssuerAddresses,
  pool: string,
  type: string | undefined,
): string {
  const home = pool.slice(0, pool.indexOf('_'))
  return `${type === 'UPDATED' ? issuerBase : (endpoints[home] ?? endpoint)}/${pool}`
}

/** Whether this is an issuer of the pool. Both types are: tokens issued before the pool switched its type stay valid. */
export function isIssuerOf(addresses: IssuerAddresses, pool: string, issuer: string): boolean {
  return issuer === issuerOf(addresses, pool, 'ORIGINAL') || issuer === issuerOf(addresses, pool, 'UPDATED')
}

/** The pool id in an issuer, if it ends with one. */
export function poolOfIssuer(issuer: string): string | undefined {
  const pool = issuer.slice(issuer.lastIndexOf('/') + 1)
  return isPoolId(pool) ? pool : undefined
}

/** Whether an untrusted text has the format of a pool id. */
export const isPoolId = (text: string): boolean => /^[\w-]{1,45}_[0-9a-zA-Z]{1,55}$/.test(text)
