import { setTimeout as delay } from 'node:timers/promises'
import {
  type CognitoIdentityProviderClient,
  type CreateUserPoolCommandInput,
  CreateUserPoolReplicaCommand,
  ListUserPoolReplicasCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { CreateKeyCommand, type KMSClient, ReplicateKeyCommand } from '@aws-sdk/client-kms'

const POLL_MILLISECONDS = 50

/**
 * Creates what a pool needs before it can have a replica: a multi-Region key with a copy in the other region. Returns the settings
 * of such a pool, with the key and the UPDATED issuer. @throws the error of the service
 */
export async function prepareReplica(
  kms: KMSClient,
  { replica, description }: { replica: string; description: string },
): Promise<Pick<CreateUserPoolCommandInput, 'KeyConfiguration' | 'IssuerConfiguration'>> {
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({ MultiRegion: true, Description: description }))
  await kms.send(new ReplicateKeyCommand({ KeyId: KeyMetadata?.KeyId, ReplicaRegion: replica }))
  return {
    KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: KeyMetadata?.Arn },
    IssuerConfiguration: { Type: 'UPDATED' },
  }
}

/**
 * Adds a replica to a pool, waits for its first copy, and activates it. Returns the status of the replica once it is ACTIVE, or
 * after `seconds`. @throws the error of the service
 */
export async function addReplica(
  cognito: CognitoIdentityProviderClient,
  { pool, replica, seconds }: { pool: string; replica: string; seconds: number },
): Promise<string> {
  const statusOf = async (): Promise<string> => {
    const { UserPoolReplicas } = await cognito.send(new ListUserPoolReplicasCommand({ UserPoolId: pool }))
    return UserPoolReplicas?.find(({ RegionName }) => RegionName === replica)?.Status ?? 'CREATING'
  }
  const deadline = performance.now() + seconds * 1_000
  const waitFor = async (wanted: string): Promise<string> => {
    let status = await statusOf()
    while (status !== wanted && performance.now() < deadline) {
      await delay(POLL_MILLISECONDS)
      status = await statusOf()
    }
    return status
  }
  await cognito.send(new CreateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: replica }))
  const copied = await waitFor('INACTIVE')
  if (copied !== 'INACTIVE') return copied
  await cognito.send(new UpdateUserPoolReplicaCommand({ UserPoolId: pool, RegionName: replica, Status: 'ACTIVE' }))
  return waitFor('ACTIVE')
}
