import type { Context } from '../../context.ts'
import { lockSettings, type Pool, putSettings } from '../../directory/pool.ts'
import { CognitoError, type CognitoErrorCode, invalidParameter } from '../../errors.ts'

export type Tags = Record<string, string>

const LIMIT = 50
/** https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html#tag-conventions */
const CHARACTERS = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u

/** Returns a message for invalid tags, undefined for valid ones. */
function violationIn(tags: Tags): string | undefined {
  const entries = Object.entries(tags)
  if (entries.length > LIMIT) return `A user pool can have at most ${LIMIT} tags.`
  for (const [key, value] of entries) {
    if (key.toLowerCase().startsWith('aws:')) return 'Tag keys cannot start with aws:.'
    if (!CHARACTERS.test(key) || !CHARACTERS.test(value))
      return 'Tag keys and values have characters that are not allowed.'
  }
  return undefined
}

/** Throws UserPoolTaggingException, or the error `code` of the operation. */
export function checkPoolTags(tags: Tags = {}, code: CognitoErrorCode = 'UserPoolTaggingException'): Tags {
  const violation = violationIn(tags)
  if (violation) throw new CognitoError(code, violation)
  return tags
}

const POOL_ARN = /^arn:aws[\w-]*:cognito-idp:([a-z0-9-]+):(\d{12}):userpool\/([\w-]+_[0-9a-zA-Z]+)$/

/** Returns the pool for an ARN of this region and account. Throws InvalidParameterException, ResourceNotFoundException. */
export async function getPoolByArn(
  { pools, region, accountId }: Pick<Context, 'pools' | 'region' | 'accountId'>,
  arn: string,
): Promise<Pool> {
  const [, arnRegion, account, id] = POOL_ARN.exec(arn) ?? []
  if (id === undefined) throw invalidParameter(`Invalid ARN: ${arn}`)
  if (arnRegion !== region || account !== accountId) {
    throw new CognitoError('ResourceNotFoundException', `User pool ${id} does not exist.`)
  }
  return pools.get(id)
}

/** Changes the tags of the pool in this region. */
export async function changeTags(
  { store }: Pick<Context, 'store'>,
  pool: Pick<Pool, 'id' | 'settings'>,
  change: (tags: Tags) => Tags,
): Promise<void> {
  await store.write(async (tx) => {
    const settings = await lockSettings(tx, pool)
    const UserPoolTags = checkPoolTags(change(settings.UserPoolTags ?? {}), 'InvalidParameterException')
    await putSettings(tx, pool.id, { ...settings, UserPoolTags })
  })
}
