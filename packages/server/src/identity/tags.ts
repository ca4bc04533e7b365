import { CognitoError, type CognitoErrorCode } from '../errors.ts'

export type Tags = Record<string, string>

const LIMIT = 50
/** https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html#tag-conventions */
const CHARACTERS = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u

/** What is wrong with a set of tags; undefined when it can be kept. */
function mistakeIn(tags: Tags): string | undefined {
  const entries = Object.entries(tags)
  if (entries.length > LIMIT) return `A user pool can have at most ${LIMIT} tags.`
  for (const [key, value] of entries) {
    if (key.toLowerCase().startsWith('aws:')) return 'Tag keys cannot start with aws:.'
    if (!CHARACTERS.test(key) || !CHARACTERS.test(value))
      return 'Tag keys and values have characters that are not allowed.'
  }
  return undefined
}

/** Checks the tags that a pool is to have. Throws UserPoolTaggingException, or what the operation says instead. */
export function checkPoolTags(tags: Tags = {}, code: CognitoErrorCode = 'UserPoolTaggingException'): Tags {
  const mistake = mistakeIn(tags)
  if (mistake) throw new CognitoError(code, mistake)
  return tags
}
