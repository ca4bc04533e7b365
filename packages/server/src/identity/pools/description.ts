import type { UserPoolType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import { findDomainNames } from '../../directory/domain.ts'
import type { Pool } from '../../directory/pool.ts'
import { localArn } from '../../keys/pool-keys.ts'
import { countFirstRows } from '../../store/rows.ts'
import { completeSchema } from './schema.ts'
import { DEFAULT_RECOVERY } from './settings.ts'

/** The ARN of a pool in one region: the region field names that region; the id is the same everywhere. */
export const poolArn = ({ region, accountId }: Pick<Context, 'region' | 'accountId'>, id: string): string =>
  `arn:aws:cognito-idp:${region}:${accountId}:userpool/${id}`

/** Renders a pool for the API of this region. */
export async function describePool(
  context: Pick<Context, 'region' | 'accountId' | 'store'>,
  { id, document, settings }: Pool,
): Promise<UserPoolType> {
  const { store, region } = context
  const { created, modified, smsMfa, softwareTokenMfa, emailMfa, webAuthn, form, ...global } = document
  const { modified: settingsModified = 0, ...regional } = settings
  const [users, domains] = await Promise.all([estimateUsers({ store }, id), findDomainNames(store, id)])
  const key = global.KeyConfiguration
  return {
    Id: id,
    ...global,
    AccountRecoverySetting: global.AccountRecoverySetting ?? DEFAULT_RECOVERY,
    LambdaConfig: {},
    EmailConfiguration: { EmailSendingAccount: 'COGNITO_DEFAULT' },
    UserPoolTags: {},
    ...regional,
    KeyConfiguration: key
      ? { ...key, KmsKeyArn: key.KmsKeyArn && localArn(key.KmsKeyArn, region) }
      : { KeyType: 'AWS_OWNED_KEY' },
    SchemaAttributes: completeSchema(document),
    Domain: domains['prefix-domain'],
    CustomDomain: domains.domain,
    Arn: poolArn(context, id),
    EstimatedNumberOfUsers: users,
    CreationDate: new Date(created),
    LastModifiedDate: new Date(Math.max(modified, settingsModified)),
  }
}

const COUNTED = 10_000
const PREFIX_DIGITS = 8

/**
 * The number of users of a pool: exact up to 10,000, an estimate above. It counts the first 10,000 keys and extrapolates from
 * the last one: keys are random UUIDs, so the error is about 1 %, and the cost does not grow with the pool.
 */
async function estimateUsers({ store }: Pick<Context, 'store'>, pool: string): Promise<number> {
  const { count, last } = await countFirstRows(store.db, 'user', { pool, limit: COUNTED })
  if (count < COUNTED || last === undefined) return count
  const share = (Number.parseInt(last.slice(0, PREFIX_DIGITS), 16) + 1) / 16 ** PREFIX_DIGITS
  return Math.round(count / share)
}
