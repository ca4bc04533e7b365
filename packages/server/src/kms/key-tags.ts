import type { KeyTag } from '../keys/local/key-record.ts'
import { KmsError } from './errors.ts'

const MAXIMUM_TAGS = 50
const ALLOWED = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u

/** Checks the tags of a key. Throws TagException. https://docs.aws.amazon.com/kms/latest/APIReference/API_Tag.html */
export function checkTags(tags: readonly Partial<KeyTag>[] = []): KeyTag[] {
  if (tags.length > MAXIMUM_TAGS) throw new KmsError('TagException', 'Too many tags')
  const seen = new Set<string>()
  return tags.map(({ TagKey = '', TagValue = '' }) => {
    if (TagKey.toLowerCase().startsWith('aws:')) {
      throw new KmsError('TagException', 'aws: prefixed tag key names are not allowed for external use.')
    }
    if (!ALLOWED.test(TagKey) || !ALLOWED.test(TagValue)) {
      throw new KmsError('TagException', 'A tag has characters that are not allowed.')
    }
    if (seen.has(TagKey)) throw new KmsError('TagException', 'Duplicate tag keys')
    seen.add(TagKey)
    return { TagKey, TagValue }
  })
}
