import { setTimeout as delay } from 'node:timers/promises'
import {
  CognitoIdentityProviderClient,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
  CreateUserPoolReplicaCommand,
  ListUserPoolReplicasCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { CreateKeyCommand, KMSClient, ReplicateKeyCommand } from '@aws-sdk/client-kms'
import type { DevPlane } from '@twinpool/toolkit'

export interface CreatedPool {
  event: 'created'
  region: string
  /** Null: the pool has no replica. */
  replica: { region: string; status: string } | null
  poolId: string
  clientId: string
  /** Null: the pool uses the service key. */
  keyArn: string | null
  issuer: string
}

const COPY_SECONDS = 60
const POLL_MILLISECONDS = 50

/**
 * Creates a pool with an app client in the first region of a plane. With `replica`, in the order that Cognito requires: a multi-Region
 * key, its replication, the pool with the UPDATED issuer, the replica, its activation. If the replica is not ACTIVE in time, the
 * result has its present status. @throws the error of the service
 */
export async function createPool({
  plane,
  name,
  clientName,
  replica,
}: {
  plane: DevPlane
  name: string
  clientName: string
  replica: string | undefined
}): Promise<CreatedPool> {
  const [region = ''] = Object.keys(plane.regions)
  const settings = { region, endpoint: plane.regions[region]?.endpoint, credentials: plane.credentials }
  const cognito = new CognitoIdentityProviderClient(settings)
  const kms = new KMSClient(settings)
  try {
    const keyArn = replica === undefined ? undefined : await createKey(kms, { name, replica })
    const { UserPool } = await cognito.send(
      new CreateUserPoolCommand({
        PoolName: name,
        AutoVerifiedAttributes: ['email'],
        ...(keyArn !== undefined && {
          KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: keyArn },
          IssuerConfiguration: { Type: 'UPDATED' },
        }),
      }),
    )
    const poolId = UserPool?.Id as string
    const { UserPoolClient } = await cognito.send(
      new CreateUserPoolClientCommand({
        UserPoolId: poolId,
        ClientName: clientName,
        ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH', 'ALLOW_USER_SRP_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH'],
      }),
    )
    return {
      event: 'created',
      region,
      replica:
        replica === undefined ? null : { region: replica, status: await replicate(cognito, { poolId, replica }) },
      poolId,
      clientId: UserPoolClient?.ClientId as string,
      keyArn: keyArn ?? null,
      issuer: `${replica === undefined ? settings.endpoint : plane.control}/${poolId}`,
    }
  } finally {
    cognito.destroy()
    kms.destroy()
  }
}

async function createKey(kms: KMSClient, { name, replica }: { name: string; replica: string }): Promise<string> {
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({ MultiRegion: true, Description: `user pool ${name}` }))
  await kms.send(new ReplicateKeyCommand({ KeyId: KeyMetadata?.KeyId, ReplicaRegion: replica }))
  return KeyMetadata?.Arn as string
}

/** Returns the status of the replica once it is ACTIVE, or at the timeout. */
async function replicate(
  cognito: CognitoIdentityProviderClient,
  { poolId, replica }: { poolId: string; replica: string },
): Promise<string> {
  const statusOf = async (): Promise<string> => {
    const { UserPoolReplicas } = await cognito.send(new ListUserPoolReplicasCommand({ UserPoolId: poolId }))
    return UserPoolReplicas?.find(({ RegionName }) => RegionName === replica)?.Status ?? 'CREATING'
  }
  const deadline = performance.now() + COPY_SECONDS * 1_000
  const waitFor = async (wanted: string): Promise<string> => {
    let status = await statusOf()
    while (status !== wanted && performance.now() < deadline) {
      await delay(POLL_MILLISECONDS)
      status = await statusOf()
    }
    return status
  }
  await cognito.send(new CreateUserPoolReplicaCommand({ UserPoolId: poolId, RegionName: replica }))
  const copied = await waitFor('INACTIVE')
  if (copied !== 'INACTIVE') return copied
  await cognito.send(new UpdateUserPoolReplicaCommand({ UserPoolId: poolId, RegionName: replica, Status: 'ACTIVE' }))
  return waitFor('ACTIVE')
}
