import { pageOf, readMarker } from '../marker.ts'
import type { Handler } from '../types.ts'

const LIMIT = 100

export const ListKeys: Handler<'ListKeys'> = async ({ keyRing }, input) => {
  const limit = input.Limit ?? LIMIT
  const found = await keyRing.list({ after: readMarker(input.Marker), limit: limit + 1 })
  const { entries, more } = pageOf(found, { limit, nameOf: ({ id }) => id })
  return { Keys: entries.map(({ id }) => ({ KeyId: id, KeyArn: keyRing.keyArn(id) })), ...more }
}
