import {
  CreateUserPoolClientCommand,
  type CreateUserPoolClientCommandInput,
  CreateUserPoolCommand,
  type CreateUserPoolCommandInput,
  CreateUserPoolReplicaCommand,
  ListUserPoolReplicasCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { CreateKeyCommand, ReplicateKeyCommand } from '@aws-sdk/client-kms'
import { type Plane, type RunningRegion, until } from './regions.ts'

export interface TestPool {
  poolId: string
  clientId: string
  clientSecret?: string
}

export interface PoolOptions {
  plane: Plane
  /** Where the pool is made: the plane's primary when left out. */
  region?: RunningRegion
  overrides?: Partial<CreateUserPoolCommandInput>
  client?: Partial<CreateUserPoolClientCommandInput>
}

/** Makes a pool with one app client for which all password flows are on. */
export async function createPool({ plane, region = plane.primary, overrides, client }: PoolOptions): Promise<TestPool> {
  const pool = await region.cognito.send(new CreateUserPoolCommand({ PoolName: 'people', ...overrides }))
  const poolId = pool.UserPool?.Id as string
  return { poolId, ...(await createClient({ plane, region, poolId, overrides: client })) }
}

/** Makes one more app client in a pool. */
export async function createClient({
  plane,
  region = plane.primary,
  poolId,
  overrides,
}: {
  plane: Plane
  region?: RunningRegion
  poolId: string
  overrides?: Partial<CreateUserPoolClientCommandInput> | undefined
}): Promise<{ clientId: string; clientSecret?: string }> {
  const { UserPoolClient } = await region.cognito.send(
    new CreateUserPoolClientCommand({
      UserPoolId: poolId,
      ClientName: 'app',
      ExplicitAuthFlows: [
        'ALLOW_USER_PASSWORD_AUTH',
        'ALLOW_ADMIN_USER_PASSWORD_AUTH',
        'ALLOW_USER_SRP_AUTH',
        'ALLOW_CUSTOM_AUTH',
        'ALLOW_REFRESH_TOKEN_AUTH',
      ],
      ...overrides,
    }),
  )
  return {
    clientId: UserPoolClient?.ClientId as string,
    ...(UserPoolClient?.ClientSecret !== undefined && { clientSecret: UserPoolClient.ClientSecret }),
  }
}

/** Makes a customer managed key in the first region; a multi-Region one is given to the others as well. Answers its ARN. */
export async function createKey({
  plane,
  multiRegion = true,
}: {
  plane: Plane
  multiRegion?: boolean
}): Promise<string> {
  const { kms, name } = plane.primary
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({ MultiRegion: multiRegion }))
  const arn = KeyMetadata?.Arn as string
  for (const other of multiRegion ? plane.regions.filter((region) => region.name !== name) : []) {
    await kms.send(new ReplicateKeyCommand({ KeyId: arn, ReplicaRegion: other.name }))
  }
  return arn
}

/** Makes a pool under a multi-Region key, with the UPDATED issuer, and one app client: all that a replica needs. */
export async function createReplicablePool(options: PoolOptions): Promise<TestPool> {
  const KmsKeyArn = await createKey(options)
  return createPool({
    ...options,
    overrides: {
      KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn },
      IssuerConfiguration: { Type: 'UPDATED' },
      ...options.overrides,
    },
  })
}

/** Makes such a pool with a replica in the second region, waits until it is copied, and turns it on unless told otherwise. */
export async function createReplicatedPool({
  active = true,
  ...options
}: PoolOptions & { active?: boolean }): Promise<TestPool> {
  const pool = await createReplicablePool(options)
  const { primary, secondary } = options.plane
  const replica = { UserPoolId: pool.poolId, RegionName: secondary.name }
  await primary.cognito.send(new CreateUserPoolReplicaCommand(replica))
  const isThere = async (status: string): Promise<boolean> => {
    const all = await secondary.cognito
      .send(new ListUserPoolReplicasCommand({ UserPoolId: pool.poolId }))
      .catch(() => undefined)
    return (
      all?.UserPoolReplicas?.some(({ RegionName, Status }) => RegionName === secondary.name && Status === status) ??
      false
    )
  }
  await until(() => isThere('INACTIVE'), { what: 'the replica' })
  if (active) {
    await primary.cognito.send(new UpdateUserPoolReplicaCommand({ ...replica, Status: 'ACTIVE' }))
    await until(() => isThere('ACTIVE'), { what: 'the active replica' })
  }
  return pool
}
