import type { LocalKeyRing } from '../keys/local/ring.ts'
import { KmsError } from './errors.ts'

/** Returns the key id from a key id or key ARN. Throws NotFoundException and InvalidArnException. */
export function readKeyId({ region, accountId }: Pick<LocalKeyRing, 'region' | 'accountId'>, text: string): string {
  const resource = text.startsWith('arn:') ? readArn({ region, accountId }, text) : text
  if (resource.startsWith('alias/')) {
    if (resource !== text) throw new KmsError('InvalidArnException', `${text} is not the ARN of a key.`)
    throw new KmsError('NotFoundException', `Invalid keyId '${text}'`)
  }
  const id = resource === text ? text : resource.replace(/^key\//, '')
  if (!KEY_ID.test(id)) throw new KmsError('NotFoundException', `Invalid keyId '${id}'`)
  return id
}

/** Returns the key id from a key id, key ARN, alias name or alias ARN. Throws NotFoundException and InvalidArnException. */
export async function resolveKeyId(keyRing: LocalKeyRing, text: string): Promise<string> {
  const resource = text.startsWith('arn:') ? readArn(keyRing, text) : text
  if (!resource.startsWith('alias/')) return readKeyId(keyRing, text)
  const alias = await keyRing.findAlias(resource)
  if (!alias) throw new KmsError('NotFoundException', `Alias ${keyRing.aliasArn(resource)} is not found.`)
  return alias.keyId
}

const KEY_ID = /^(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/

/** Returns the resource part of an ARN of this region and account. */
function readArn({ region, accountId }: Pick<LocalKeyRing, 'region' | 'accountId'>, arn: string): string {
  const [, , service, where, account, resource, ...rest] = arn.split(':')
  if (service !== 'kms' || !resource || rest.length > 0 || !/^(key|alias)\/./.test(resource)) {
    throw new KmsError('InvalidArnException', `Invalid ARN ${arn}`)
  }
  if (where !== region) throw new KmsError('NotFoundException', `Invalid arn ${where}`)
  if (account !== accountId) throw new KmsError('NotFoundException', `${arn} is not in this account.`)
  return resource
}
