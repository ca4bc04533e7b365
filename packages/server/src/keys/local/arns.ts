/** The ARNs of the keys and aliases of one region. */
export interface KeyArns {
  readonly region: string
  readonly accountId: string
  keyArn(id: string): string
  aliasArn(name: string): string
  /** The key id in an ARN; undefined for anything that is not the ARN of a key of this region. */
  idOf(arn: string): string | undefined
}

export function createKeyArns({ region, accountId }: { region: string; accountId: string }): KeyArns {
  const prefix = `arn:aws:kms:${region}:${accountId}:`
  const keyPrefix = `${prefix}key/`
  return {
    region,
    accountId,
    keyArn: (id) => `${keyPrefix}${id}`,
    aliasArn: (name) => `${prefix}${name}`,
    idOf: (arn) => (arn.startsWith(keyPrefix) ? arn.slice(keyPrefix.length) : undefined),
  }
}
