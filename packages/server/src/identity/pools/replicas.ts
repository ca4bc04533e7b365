import type { UserPoolReplicaType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { lockPool, type Pool, type PoolDocument } from '../../directory/pool.ts'
import { listReplicas, lockReplica, shareReplica } from '../../directory/replica.ts'
import { CognitoError, invalidParameter } from '../../errors.ts'
import { localArn } from '../../keys/pool-keys.ts'
import { peerKnows } from '../../replication/known-kinds.ts'
import { type Replica, versionAfter } from '../../store/merge.ts'
import { NEWER_KEY_KINDS } from './data-key-rotation.ts'
import { poolArn } from './description.ts'
import { parityOf } from './parity.ts'
import { SEALED_KINDS } from './sealing.ts'
import { checkPoolTags, type Tags } from './tags.ts'

/**
 * Creates a replica of a pool in another region. It is CREATING until that region has copied the pool, then INACTIVE.
 * Throws FeatureUnavailableInTierException, LimitExceededException, InvalidParameterException, UserPoolTaggingException.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-multi-region-replication.html
 */
export async function createReplica(
  context: Pick<Context, 'store' | 'region' | 'endpoints' | 'parity' | 'keyProvider'>,
  openPool: OpenPool,
  { region, tags }: { region: string; tags?: Tags | undefined },
): Promise<Replica> {
  const parity = parityOf(context)
  const pool = openPool.pool.id
  checkPoolTags(tags)
  return context.store.write(async (tx) => {
    const document = await lockPool(tx, openPool)
    if (document.UserPoolTier === 'LITE') {
      throw new CognitoError('FeatureUnavailableInTierException', 'Replicas are not available in the LITE tier.')
    }
    if (region === context.region)
      throw invalidParameter('A replica cannot be created in the primary Region of the user pool.')
    if (!parity.isEligible(region) || !Object.hasOwn(context.endpoints, region)) {
      throw invalidParameter(`The Region ${region} is not available for replicas.`)
    }
    if (!parity.isEligible(context.region))
      throw invalidParameter(`User pools of the Region ${context.region} cannot be replicated.`)
    const present = await lockReplica(tx, pool, region)
    const replicas = await listReplicas(tx, pool)
    if (replicas.length >= parity.replicas) {
      throw new CognitoError('LimitExceededException', `A user pool can have at most ${parity.replicas} replica.`)
    }
    if (replicas.some((replica) => replica.region === region))
      throw invalidParameter(`The user pool already has a replica in ${region}.`)
    await checkReplicaKey(context, document, region)
    const hasNewerKeys = (await tx.count('newer-data-key', { pool })) > 0
    const wanted = hasNewerKeys ? [...SEALED_KINDS, ...NEWER_KEY_KINDS] : SEALED_KINDS
    if (document.form !== undefined && (await peerKnows(context.store, region, wanted)) === false) {
      throw invalidParameter(`The Region ${region} runs an older version, which cannot hold this user pool.`)
    }
    const version = versionAfter(present, 'CREATING')
    const replica: Replica = { region, status: 'CREATING', version, ...(tags && { tags }) }
    await shareReplica(tx, pool, replica)
    return replica
  })
}

/** The replica region needs the material of the KMS key that wraps the pool's data key; without it, it cannot open rows. */
async function checkReplicaKey(
  { keyProvider, region }: Pick<Context, 'keyProvider' | 'region'>,
  { KeyConfiguration }: PoolDocument,
  target: string,
): Promise<void> {
  const arn = KeyConfiguration?.KmsKeyArn
  if (arn === undefined) throw invalidParameter('A replica needs a user pool with a customer managed multi-Region key.')
  const key = await keyProvider.find(localArn(arn, region))
  if (!key?.enabled) throw invalidParameter('The KMS key of the user pool does not exist or is not enabled.')
  if (!key.multiRegion) throw invalidParameter('The KMS key of the user pool is not a multi-Region key.')
  if (!key.regions.includes(target))
    throw invalidParameter(`The KMS key of the user pool is not replicated to ${target}.`)
}

/**
 * Activates or deactivates a replica; works in any region of the pool. Throws ResourceNotFoundException;
 * InvalidParameterException while the replica is being created or deleted.
 */
export function setReplicaStatus(
  context: Pick<Context, 'store'>,
  pool: Pool,
  { region, status }: { region: string; status: 'ACTIVE' | 'INACTIVE' },
): Promise<Replica> {
  return changeReplica(context, pool, region, (replica) => {
    if (replica.status !== 'ACTIVE' && replica.status !== 'INACTIVE') {
      throw invalidParameter(`The replica cannot be updated while its status is ${replica.status}.`)
    }
    return status
  })
}

/** Starts the deletion of a replica; works in any region of the pool. Throws ResourceNotFoundException, InvalidParameterException. */
export function deleteReplica(context: Pick<Context, 'store'>, pool: Pool, region: string): Promise<Replica> {
  return changeReplica(context, pool, region, (replica) => {
    if (replica.status !== 'INACTIVE')
      throw invalidParameter('A replica can be deleted only when its status is INACTIVE.')
    return 'DELETING'
  })
}

function changeReplica(
  { store }: Pick<Context, 'store'>,
  { id, topology }: Pick<Pool, 'id' | 'topology'>,
  region: string,
  change: (replica: Replica) => Replica['status'],
): Promise<Replica> {
  if (region === topology.primary) throw invalidParameter(`${region} is the primary Region of the user pool.`)
  return store.write(async (tx) => {
    const present = await lockReplica(tx, id, region)
    if (!present || present.status === 'DELETED') {
      throw new CognitoError('ResourceNotFoundException', `User pool ${id} has no replica in ${region}.`)
    }
    const status = change(present)
    if (status === present.status) return present
    const replica = { ...present, status, version: versionAfter(present, status) }
    await shareReplica(tx, id, replica)
    return replica
  })
}

/** Renders a replica for the API. */
export function describeReplica(
  { accountId }: Pick<Context, 'accountId'>,
  pool: string,
  { region, status }: Replica,
): UserPoolReplicaType {
  if (status === 'DELETED') throw new Error('a deleted replica cannot be described')
  return { RegionName: region, Status: status, Role: 'SECONDARY', UserPoolArn: poolArn({ region, accountId }, pool) }
}

/** Renders all regions of a pool for the API, the primary first. */
export function describeReplicas(
  context: Pick<Context, 'accountId'>,
  { id, topology, replicas }: Pool,
): UserPoolReplicaType[] {
  const { accountId } = context
  const region = topology.primary
  return [
    { RegionName: region, Status: 'ACTIVE', Role: 'PRIMARY', UserPoolArn: poolArn({ region, accountId }, id) },
    ...replicas.map((replica) => describeReplica(context, id, replica)),
  ]
}
