import type { UserPoolType } from '@aws-sdk/client-cognito-identity-provider'
import { localArn } from '../keys/pool-keys.ts'
import type { Context } from './context.ts'
import type { Pool } from './pool.ts'

/** The ARN of a pool as a region names it; the region field is the one answering, the id stays. */
export const poolArn = ({ region, accountId }: Pick<Context, 'region' | 'accountId'>, id: string): string =>
  `arn:aws:cognito-idp:${region}:${accountId}:userpool/${id}`

/** The pool as the API describes it in this region. */
export async function describePool(
  context: Pick<Context, 'region' | 'accountId' | 'store'>,
  { id, document, settings }: Pool,
): Promise<UserPoolType> {
  const { store, region } = context
  const { created, modified, smsMfa, softwareTokenMfa, emailMfa, webAuthn, ...global } = document
  const { modified: settingsModified = 0, ...regional } = settings
  const [users, domains, prefixes] = await Promise.all([
    store.count('user', { pool: id }),
    store.list('domain', { pool: id, limit: 1 }),
    store.list('prefix-domain', { pool: id, limit: 1 }),
  ])
  const key = global.KeyConfiguration
  return {
    Id: id,
    ...global,
    LambdaConfig: {},
    EmailConfiguration: { EmailSendingAccount: 'COGNITO_DEFAULT' },
    UserPoolTags: {},
    ...regional,
    KeyConfiguration: key && { ...key, KmsKeyArn: key.KmsKeyArn && localArn(key.KmsKeyArn, region) },
    Domain: prefixes[0]?.key,
    CustomDomain: domains[0]?.key,
    Arn: poolArn(context, id),
    EstimatedNumberOfUsers: users,
    CreationDate: new Date(created),
    LastModifiedDate: new Date(Math.max(modified, settingsModified)),
  }
}
