import {
  AdminCreateUserCommand,
  AdminSetUserPasswordCommand,
  type CognitoIdentityProviderClient,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import type { KMSClient } from '@aws-sdk/client-kms'
import { addReplica, prepareReplica } from '../replicas.ts'
import { inParallel } from './pace.ts'

export interface Setting {
  pool: string
  client: string
  password: string
  users: string[]
}

const CONCURRENCY = 16
const COPY_SECONDS = 600

/**
 * Creates the setup of a drill: a pool under a multi-Region key with the shared issuer, an app client, users with permanent
 * passwords, and an ACTIVE replica with all users.
 */
export async function makeSetting({
  primary,
  secondary,
  cognito,
  kms,
  count,
  progress,
}: {
  primary: string
  secondary: string
  cognito: CognitoIdentityProviderClient
  kms: KMSClient
  count: number
  progress: (line: string) => void
}): Promise<Setting> {
  const replicable = await prepareReplica(kms, { replica: secondary, description: 'twinpool drill' })
  const { UserPool } = await cognito.send(
    new CreateUserPoolCommand({
      PoolName: 'drill',
      ...replicable,
      AutoVerifiedAttributes: ['email'],
      UserPoolTier: 'ESSENTIALS',
    }),
  )
  const pool = UserPool?.Id as string
  const { UserPoolClient } = await cognito.send(
    new CreateUserPoolClientCommand({
      UserPoolId: pool,
      ClientName: 'drill',
      ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH', 'ALLOW_USER_SRP_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH'],
    }),
  )
  const client = UserPoolClient?.ClientId as string
  progress(`pool ${pool} in ${primary}`)

  const password = 'Drill-Passw0rd!'
  const users = Array.from({ length: count }, (_, at) => `user-${String(at).padStart(7, '0')}`)
  let made = 0
  await inParallel(users, CONCURRENCY, async (user) => {
    await cognito.send(
      new AdminCreateUserCommand({
        UserPoolId: pool,
        Username: user,
        MessageAction: 'SUPPRESS',
        TemporaryPassword: password,
        UserAttributes: [
          { Name: 'email', Value: `${user}@example.com` },
          { Name: 'email_verified', Value: 'true' },
        ],
      }),
    )
    await cognito.send(
      new AdminSetUserPasswordCommand({ UserPoolId: pool, Username: user, Password: password, Permanent: true }),
    )
    made += 1
    if (made % Math.max(100, Math.ceil(count / 5)) === 0 || made === count) progress(`${made} of ${count} users`)
  })

  const status = await addReplica(cognito, { pool, replica: secondary, seconds: COPY_SECONDS })
  if (status !== 'ACTIVE')
    throw new Error(`the replica in ${secondary} is ${status} after ${COPY_SECONDS} s, and not ACTIVE`)
  progress(`replica in ${secondary} is ACTIVE`)
  return { pool, client, password, users }
}
