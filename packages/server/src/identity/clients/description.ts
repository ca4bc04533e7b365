import type { UserPoolClientType } from '@aws-sdk/client-cognito-identity-provider'
import { type Client, openClientSecrets } from '../../directory/client.ts'
import type { OpenPool } from '../../directory/open-pool.ts'

/** Renders a client for the API, with its newest secret in plain text. */
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
