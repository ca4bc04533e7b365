import type { UserPoolReplicaType } from '@aws-sdk/client-cognito-identity-provider'
import type { Context } from '../../context.ts'
import { lockPool, type Pool, type PoolDocument } from '../../directory/pool.ts'
import { CognitoError } from '../../errors.ts'
import { localArn } from '../../keys/pool-keys.ts'
import type { Replica } from '../../store/merge.ts'
import type { Transaction } from '../../store/write.ts'
import { poolArn } from './description.ts'
import { parityOf } from './parity.ts'
import { checkPoolTags, type Tags } from './tags.ts'

const MOST_REGIONS = 100

/** The replicas that a pool has, those that are gone left out, in the order of their regions. */
export async function listReplicas(tx: Pick<Transaction, 'list'>, pool: string): Promise<Replica[]> {
  const rows = await tx.list('replica', { pool, limit: MOST_REGIONS })
  return rows.map(({ body }) => JSON.parse(body) as Replica).filter(({ status }) => status !== 'DELETED')
}

/**
 * Begins a replica of a pool in another region. It is CREATING until that region has copied everything, then INACTIVE.
 * Throws FeatureUnavailableInTierException, LimitExceededException, InvalidParameterException, UserPoolTaggingException.
 * https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-multi-region-replication.html
 */
export async function createReplica(
  context: Pick<Context, 'store' | 'region' | 'endpoints' | 'parity' | 'keyProvider'>,
  pool: string,
  { region, tags }: { region: string; tags?: Tags | undefined },
): Promise<Replica> {
  const parity = parityOf(context)
  checkPoolTags(tags)
  return context.store.write(async (tx) => {
    const document = await lockPool(tx, pool)
    if (document.UserPoolTier === 'LITE') {
      throw new CognitoError('FeatureUnavailableInTierException', 'Replicas are not available in the LITE tier.')
    }
    if (region === context.region) throw invalid('A replica cannot be created in the primary Region of the user pool.')
    if (!parity.isEligible(region) || !Object.hasOwn(context.endpoints, region)) {
      throw invalid(`The Region ${region} is not available for replicas.`)
    }
    if (!parity.isEligible(context.region))
      throw invalid(`User pools of the Region ${context.region} cannot be replicated.`)
    const present = await tx.lock('replica', { pool, key: region })
    const replicas = await listReplicas(tx, pool)
    if (replicas.length >= parity.replicas) {
      throw new CognitoError('LimitExceededException', `A user pool can have at most ${parity.replicas} replica.`)
    }
    if (replicas.some((replica) => replica.region === region))
      throw invalid(`The user pool has a replica in ${region} already.`)
    await checkReplicaKey(context, document, region)
    const version = present ? (JSON.parse(present.body) as Replica).version + 1 : 1
    const replica: Replica = { region, status: 'CREATING', version, ...(tags && { tags }) }
    await share(tx, pool, replica)
    return replica
  })
}

/** A region can open the pool's rows only with the material of the key that wraps the pool's data key. */
async function checkReplicaKey(
  { keyProvider, region }: Pick<Context, 'keyProvider' | 'region'>,
  { KeyConfiguration }: PoolDocument,
  target: string,
): Promise<void> {
  const arn = KeyConfiguration?.KmsKeyArn
  if (arn === undefined) throw invalid('A replica needs a user pool with a customer managed multi-Region key.')
  const key = await keyProvider.find(localArn(arn, region))
  if (!key?.enabled) throw invalid('The KMS key of the user pool does not exist or is not enabled.')
  if (!key.multiRegion) throw invalid('The KMS key of the user pool is not a multi-Region key.')
  if (!key.regions.includes(target)) throw invalid(`The KMS key of the user pool is not replicated to ${target}.`)
}

/**
 * Turns a replica on or off, from whichever region. Throws ResourceNotFoundException, InvalidParameterException while it is
 * being created or deleted.
 */
export function setReplicaStatus(
  context: Pick<Context, 'store'>,
  pool: Pool,
  { region, status }: { region: string; status: 'ACTIVE' | 'INACTIVE' },
): Promise<Replica> {
  return changeReplica(context, pool, region, (replica) => {
    if (replica.status !== 'ACTIVE' && replica.status !== 'INACTIVE') {
      throw invalid(`The replica cannot be updated while its status is ${replica.status}.`)
    }
    return status
  })
}

/** Begins the removal of a replica, from whichever region. Throws ResourceNotFoundException, InvalidParameterException. */
export function deleteReplica(context: Pick<Context, 'store'>, pool: Pool, region: string): Promise<Replica> {
  return changeReplica(context, pool, region, (replica) => {
    if (replica.status !== 'INACTIVE') throw invalid('A replica can be deleted only when its status is INACTIVE.')
    return 'DELETING'
  })
}

function changeReplica(
  { store }: Pick<Context, 'store'>,
  { id, topology }: Pick<Pool, 'id' | 'topology'>,
  region: string,
  change: (replica: Replica) => Replica['status'],
): Promise<Replica> {
  if (region === topology.primary) throw invalid(`${region} is the primary Region of the user pool.`)
  return store.write(async (tx) => {
    const row = await tx.lock('replica', { pool: id, key: region })
    const present = row && (JSON.parse(row.body) as Replica)
    if (!present || present.status === 'DELETED') {
      throw new CognitoError('ResourceNotFoundException', `User pool ${id} has no replica in ${region}.`)
    }
    const status = change(present)
    if (status === present.status) return present
    const replica = { ...present, status, version: present.version + 1 }
    await share(tx, id, replica)
    return replica
  })
}

const share = (tx: Transaction, pool: string, replica: Replica): Promise<void> =>
  tx.share('replica', { pool, key: replica.region, body: JSON.stringify(replica) })

/** A replica as the API describes it. */
export function replicaType(
  { accountId }: Pick<Context, 'accountId'>,
  pool: string,
  { region, status }: Replica,
): UserPoolReplicaType {
  if (status === 'DELETED') throw new Error('a replica that is gone is not described')
  return { RegionName: region, Status: status, Role: 'SECONDARY', UserPoolArn: poolArn({ region, accountId }, pool) }
}

/** All regions of a pool as the API lists them, the primary first. */
export function replicaTypes(
  context: Pick<Context, 'accountId'>,
  { id, topology, replicas }: Pool,
): UserPoolReplicaType[] {
  const { accountId } = context
  const region = topology.primary
  return [
    { RegionName: region, Status: 'ACTIVE', Role: 'PRIMARY', UserPoolArn: poolArn({ region, accountId }, id) },
    ...replicas.map((replica) => replicaType(context, id, replica)),
  ]
}

const invalid = (message: string): CognitoError => new CognitoError('InvalidParameterException', message)
