import {
  CreateGroupCommand,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
  CreateUserPoolReplicaCommand,
  ListUserPoolReplicasCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { CreateKeyCommand, ReplicateKeyCommand } from '@aws-sdk/client-kms'
import type { Arena } from './arena.ts'
import { GROUPS } from './directory.ts'
import { pause } from './pace.ts'

/** The pool that a run works on. */
export interface Setting {
  pool: string
  /** An app client that keeps its refresh tokens. */
  client: string
  /** An app client that rotates them, without a grace period. */
  rotatingClient: string
}

const COPY_PATIENCE_MILLISECONDS = 30_000

/** Creates a pool with an ACTIVE replica, two app clients and the groups. */
export async function makeSetting({ clients: { primary, secondary } }: Arena): Promise<Setting> {
  const { KeyMetadata } = await primary.kms.send(new CreateKeyCommand({ MultiRegion: true }))
  await primary.kms.send(new ReplicateKeyCommand({ KeyId: KeyMetadata?.KeyId, ReplicaRegion: secondary.name }))
  const { UserPool } = await primary.cognito.send(
    new CreateUserPoolCommand({
      PoolName: 'torture',
      KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: KeyMetadata?.Arn },
      IssuerConfiguration: { Type: 'UPDATED' },
      AliasAttributes: ['email'],
      UserPoolTier: 'ESSENTIALS',
    }),
  )
  const pool = UserPool?.Id as string
  const makeClient = async (name: string, rotates: boolean): Promise<string> => {
    const { UserPoolClient } = await primary.cognito.send(
      new CreateUserPoolClientCommand({
        UserPoolId: pool,
        ClientName: name,
        ExplicitAuthFlows: [
          'ALLOW_USER_PASSWORD_AUTH',
          'ALLOW_USER_SRP_AUTH',
          ...(rotates ? [] : (['ALLOW_REFRESH_TOKEN_AUTH'] as const)),
        ],
        ...(rotates && { RefreshTokenRotation: { Feature: 'ENABLED', RetryGracePeriodSeconds: 0 } }),
      }),
    )
    return UserPoolClient?.ClientId as string
  }
  const client = await makeClient('keeps', false)
  const rotatingClient = await makeClient('rotates', true)
  for (const GroupName of GROUPS) await primary.cognito.send(new CreateGroupCommand({ UserPoolId: pool, GroupName }))

  await primary.cognito.send(new CreateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary.name }))
  const reach = async (status: string, at = primary): Promise<void> => {
    for (const deadline = Date.now() + COPY_PATIENCE_MILLISECONDS; ; await pause(20)) {
      const listed = await at.cognito.send(new ListUserPoolReplicasCommand({ UserPoolId: pool })).catch(() => undefined)
      if (listed?.UserPoolReplicas?.some(({ Role, Status }) => Role === 'SECONDARY' && Status === status)) return
      if (Date.now() > deadline) throw new Error(`the replica did not become ${status}`)
    }
  }
  await reach('INACTIVE')
  await primary.cognito.send(
    new UpdateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: secondary.name, Status: 'ACTIVE' }),
  )
  await reach('ACTIVE', secondary)
  return { pool, client, rotatingClient }
}
