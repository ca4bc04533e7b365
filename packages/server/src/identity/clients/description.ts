import type { UserPoolClientType } from '@aws-sdk/client-cognito-identity-provider'
import { type Client, openClientSecrets } from '../../directory/client.ts'
import type { OpenPool } from '../../directory/open-pool.ts'

/** The client as the API describes it, its newest secret in the clear. */
export function describeClient(openPool: OpenPool, client: Omit<Client, 'pool'>): UserPoolClientType {
  const { created, modified, secrets: _, ...settings } = client.document
  return {
    ...settings,
    UserPoolId: openPool.pool.id,
    ClientId: client.id,
    ClientSecret: openClientSecrets(openPool, client).at(-1)?.toString('utf8'),
    CreationDate: new Date(created),
    LastModifiedDate: new Date(modified),
  }
}
