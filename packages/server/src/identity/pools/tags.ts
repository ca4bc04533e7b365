import type { Context } from '../../context.ts'
import type { Pool } from '../../directory/pool.ts'
import { CognitoError, type CognitoErrorCode } from '../../errors.ts'
import { ONLY } from '../../store/kinds.ts'

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

/** Checks the tags that a pool is to have. Throws UserPoolTaggingException, or what the operation has in its place. */
export function checkPoolTags(tags: Tags = {}, code: CognitoErrorCode = 'UserPoolTaggingException'): Tags {
  const mistake = mistakeIn(tags)
  if (mistake) throw new CognitoError(code, mistake)
  return tags
}

const POOL_ARN = /^arn:aws[\w-]*:cognito-idp:([a-z0-9-]+):(\d{12}):userpool\/([\w-]+_[0-9a-zA-Z]+)$/

/** The pool that an ARN of this region and account names. Throws InvalidParameterException, ResourceNotFoundException. */
export async function getPoolByArn(
  { pools, region, accountId }: Pick<Context, 'pools' | 'region' | 'accountId'>,
  arn: string,
): Promise<Pool> {
  const [, arnRegion, account, id] = POOL_ARN.exec(arn) ?? []
  if (id === undefined) throw new CognitoError('InvalidParameterException', `Invalid ARN: ${arn}`)
  if (arnRegion !== region || account !== accountId) {
    throw new CognitoError('ResourceNotFoundException', `User pool ${id} does not exist.`)
  }
  return pools.get(id)
}

/** Changes the tags that the pool has in this region. */
export async function changeTags(
  { store }: Pick<Context, 'store'>,
  { id, settings: known }: Pick<Pool, 'id' | 'settings'>,
  change: (tags: Tags) => Tags,
): Promise<void> {
  await store.write(async (tx) => {
    const row = await tx.lock('settings', { pool: id, key: ONLY })
    const settings = row ? (JSON.parse(row.body) as Pool['settings']) : known
    const UserPoolTags = checkPoolTags(change(settings.UserPoolTags ?? {}), 'InvalidParameterException')
    await tx.set('settings', { pool: id, key: ONLY, body: JSON.stringify({ ...settings, UserPoolTags }) })
  })
}
