import {
  AdminCreateUserCommand,
  AdminSetUserPasswordCommand,
  type CognitoIdentityProviderClient,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
  CreateUserPoolReplicaCommand,
  ListUserPoolReplicasCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { CreateKeyCommand, type KMSClient, ReplicateKeyCommand } from '@aws-sdk/client-kms'
import { inParallel, until } from './pace.ts'

export interface Setting {
  pool: string
  client: string
  password: string
  users: string[]
}

const CONCURRENCY = 16

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
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({ MultiRegion: true, Description: 'twinpool drill' }))
  await kms.send(new ReplicateKeyCommand({ KeyId: KeyMetadata?.KeyId, ReplicaRegion: secondary }))
  const { UserPool } = await cognito.send(
    new CreateUserPoolCommand({
      PoolName: 'drill',
      KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: KeyMetadata?.Arn },
      IssuerConfiguration: { Type: 'UPDATED' },
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

  await cognito.send(new CreateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary }))
  const hasStatus = (status: string) => async (): Promise<boolean> => {
    const { UserPoolReplicas } = await cognito.send(new ListUserPoolReplicasCommand({ UserPoolId: pool }))
    return UserPoolReplicas?.some(({ RegionName, Status }) => RegionName === secondary && Status === status) ?? false
  }
  await until(hasStatus('INACTIVE'), { seconds: 600, what: 'the first copy' })
  await cognito.send(new UpdateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary, Status: 'ACTIVE' }))
  await until(hasStatus('ACTIVE'), { seconds: 30, what: 'the activation of the replica' })
  progress(`replica in ${secondary} is ACTIVE`)
  return { pool, client, password, users }
}
