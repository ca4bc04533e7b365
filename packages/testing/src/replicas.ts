import {
  type CreateUserPoolCommandInput,
  CreateUserPoolReplicaCommand,
  DeleteUserPoolReplicaCommand,
  ListUserPoolReplicasCommand,
  type ReplicaStatusType,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { CreateKeyCommand, ReplicateKeyCommand } from '@aws-sdk/client-kms'
import { createPool } from './pools.ts'
import { type Plane, type RunningRegion, until } from './regions.ts'

type Reached = Pick<RunningRegion, 'name' | 'cognito' | 'kms'>

/** Two regions or more, of this process or of others. */
export interface ReachedPlane extends Record<keyof Pick<Plane, 'primary' | 'secondary'>, Reached> {
  regions: readonly Reached[]
}

/** Makes a customer managed key in the first region; a multi-Region one is given to all other regions. Returns its ARN. */
export async function createKey(
  { primary, regions }: ReachedPlane,
  { multiRegion = true }: { multiRegion?: boolean } = {},
): Promise<string> {
  const { KeyMetadata } = await primary.kms.send(new CreateKeyCommand({ MultiRegion: multiRegion }))
  const arn = KeyMetadata?.Arn as string
  for (const { name } of multiRegion ? regions.filter((region) => region !== primary) : []) {
    await primary.kms.send(new ReplicateKeyCommand({ KeyId: arn, ReplicaRegion: name }))
  }
  return arn
}

/** Makes a pool that can have replicas: under a multi-Region key, with the UPDATED issuer. Returns its id. */
export async function createReplicablePool(
  plane: ReachedPlane,
  settings: Partial<CreateUserPoolCommandInput> = {},
): Promise<string> {
  return createPool(plane.primary, {
    KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn: await createKey(plane) },
    IssuerConfiguration: { Type: 'UPDATED' },
    ...settings,
  })
}

/** Makes a pool with a replica in the second region, copied, and turned on unless `active` is false. Returns its id. */
export async function createReplicatedPool(
  plane: ReachedPlane,
  { active = true, settings = {} }: { active?: boolean; settings?: Partial<CreateUserPoolCommandInput> } = {},
): Promise<string> {
  const pool = await createReplicablePool(plane, settings)
  await addReplica(plane, pool, { active })
  return pool
}

/** Gives a pool a replica in the second region, and waits until both regions tell of it. */
export async function addReplica(
  plane: ReachedPlane,
  pool: string,
  { active = true }: { active?: boolean } = {},
): Promise<void> {
  const { primary, secondary } = plane
  const replica = { UserPoolId: pool, RegionName: secondary.name }
  await primary.cognito.send(new CreateUserPoolReplicaCommand(replica))
  for (const region of [primary, secondary]) await replicaIs({ region, pool, name: secondary.name, status: 'INACTIVE' })
  if (active) await activateReplica(plane, pool)
}

/** Turns the replica of a pool on, and waits until the second region knows it. */
export async function activateReplica({ primary, secondary }: ReachedPlane, pool: string): Promise<void> {
  const replica = { UserPoolId: pool, RegionName: secondary.name }
  await primary.cognito.send(new UpdateUserPoolReplicaCommand({ ...replica, Status: 'ACTIVE' }))
  await replicaIs({ region: secondary, pool, name: secondary.name, status: 'ACTIVE' })
}

/** Turns the replica of a pool off and removes it, and waits until the primary knows that it is gone. */
export async function removeReplica({ primary, secondary }: ReachedPlane, pool: string): Promise<void> {
  const replica = { UserPoolId: pool, RegionName: secondary.name }
  await primary.cognito.send(new UpdateUserPoolReplicaCommand({ ...replica, Status: 'INACTIVE' }))
  await primary.cognito.send(new DeleteUserPoolReplicaCommand(replica))
  await replicaIs({ region: primary, pool, name: secondary.name, status: undefined })
}

/** Waits until a region says that the replica named has this status; undefined: that there is none. */
export async function replicaIs({
  region,
  pool,
  name,
  status,
}: {
  region: Reached
  pool: string
  name: string
  status: ReplicaStatusType | undefined
}): Promise<void> {
  await until(
    async () => {
      const answer = await region.cognito
        .send(new ListUserPoolReplicasCommand({ UserPoolId: pool }))
        .catch(() => undefined)
      if (!answer) return false
      return answer.UserPoolReplicas?.find(({ RegionName }) => RegionName === name)?.Status === status
    },
    { what: `the status ${status} of the replica in ${name}, seen from ${region.name}` },
  )
}
