/** Where tokens can say that they come from. */
export interface IssuerAddresses {
  endpoint: string
  endpoints: Readonly<Record<string, string>>
  issuerBase: string
}

export type IssuerType = 'ORIGINAL' | 'UPDATED'

/**
 * The `iss` of a pool's tokens, the same in all its regions. ORIGINAL names the region that the pool's id names, UPDATED an
 * address that is answered as long as one region lives.
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

/** Whether tokens of this pool may say so: what was issued before the pool's issuer was switched stays good for its life. */
export function isIssuerOf(addresses: IssuerAddresses, pool: string, issuer: string): boolean {
  return issuer === issuerOf(addresses, pool, 'ORIGINAL') || issuer === issuerOf(addresses, pool, 'UPDATED')
}

/** The pool that an issuer names, if it names one. */
export function poolOfIssuer(issuer: string): string | undefined {
  const pool = issuer.slice(issuer.lastIndexOf('/') + 1)
  return isPoolId(pool) ? pool : undefined
}

/** Whether a text out of an unchecked place has the form of a pool id. */
export const isPoolId = (text: string): boolean => /^[\w-]{1,45}_[0-9a-zA-Z]{1,55}$/.test(text)
