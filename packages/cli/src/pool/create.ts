import {
  CognitoIdentityProviderClient,
  CreateUserPoolClientCommand,
  CreateUserPoolCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { KMSClient } from '@aws-sdk/client-kms'
import { addReplica, type DevPlane, prepareReplica } from '@twinpool/toolkit'

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
    const replicable =
      replica === undefined ? undefined : await prepareReplica(kms, { replica, description: `user pool ${name}` })
    const { UserPool } = await cognito.send(
      new CreateUserPoolCommand({
        PoolName: name,
        AutoVerifiedAttributes: ['email'],
        ...replicable,
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
        replica === undefined
          ? null
          : { region: replica, status: await addReplica(cognito, { pool: poolId, replica, seconds: COPY_SECONDS }) },
      poolId,
      clientId: UserPoolClient?.ClientId as string,
      keyArn: replicable?.KeyConfiguration?.KmsKeyArn ?? null,
      issuer: `${replica === undefined ? settings.endpoint : plane.control}/${poolId}`,
    }
  } finally {
    cognito.destroy()
    kms.destroy()
  }
}
