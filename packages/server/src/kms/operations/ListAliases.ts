import { readKeyId } from '../key-id.ts'
import { pageOf, readMarker } from '../marker.ts'
import type { Handler } from '../types.ts'

const LIMIT = 50
const MAXIMUM_LIMIT = 100

export const ListAliases: Handler<'ListAliases'> = async ({ keyRing }, input) => {
  const limit = Math.min(input.Limit ?? LIMIT, MAXIMUM_LIMIT)
  const found = await keyRing.listAliases({
    ...(input.KeyId !== undefined && { keyId: readKeyId(keyRing, input.KeyId) }),
    after: readMarker(input.Marker),
    limit: limit + 1,
  })
  const { entries, more } = pageOf(found, { limit, nameOf: ({ name }) => name })
  const Aliases = entries.map(({ name, keyId, created, updated }) => ({
    AliasName: name,
    AliasArn: keyRing.aliasArn(name),
    TargetKeyId: keyId,
    CreationDate: new Date(created),
    LastUpdatedDate: new Date(updated),
  }))
  return { Aliases, ...more }
}
