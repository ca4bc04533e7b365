import type { Context } from '../context.ts'
import { invalidParameter } from '../errors.ts'
import { type RotationContext, requestDataKey } from '../identity/pools/data-key-rotation.ts'
import type { LocalKeyRing } from '../keys/local/ring.ts'
import type { NewestDataKey } from '../keys/pool-keys.ts'
import { checksumOf } from '../replication/checksum.ts'
import type { Orphan, Orphans } from '../replication/orphans.ts'
import type { CopyStatus, PeerStatus, StatusBoard } from '../replication/status.ts'

export interface OperatorContext {
  context: RotationContext & Pick<Context, 'store' | 'pools' | 'clock' | 'events'>
  replication: Pick<StatusBoard, 'status' | 'poolStatus'> & { orphans: Orphans }
  /** Undefined when AWS KMS holds the keys. */
  keyRing?: Pick<LocalKeyRing, 'rekey' | 'masterKeyId'> | undefined
}

const MAX_ORPHANS = 100

export type OperatorHandler = (operator: OperatorContext, input: Record<string, unknown>) => Promise<object>

export const operations: Readonly<Record<string, OperatorHandler>> = {
  /** {UserPoolId?} -> {Region, Peers[], Copies[], UserPool?}. Seconds may be fractions; LagSeconds is absent if the lag is unknown. */
  GetReplicationStatus: async ({ context, replication }, input) => {
    const { region, peers, copies } = await replication.status()
    const id = input.UserPoolId === undefined ? undefined : poolId(input)
    const pool = id === undefined ? undefined : await context.pools.get(id)
    const poolStatus = pool && (await replication.poolStatus(pool.id))
    return {
      Region: region,
      Peers: peers.map(describePeer),
      Copies: copies.filter((copy) => id === undefined || copy.pool === id).map(describeCopy),
      ...(pool && {
        UserPool: {
          Id: pool.id,
          Role: pool.role,
          Status: pool.status,
          PrimaryRegion: pool.topology.primary,
          Epoch: pool.topology.epoch,
          Replicas: poolStatus?.replicas.map(({ region, status }) => ({ RegionName: region, Status: status })),
          LagSeconds: poolStatus?.lagSeconds,
        },
      }),
    }
  },

  /**
   * {} -> {UserPools[]}: the pools that have a replica here and that their primary does not know, for example because it was put
   * back to an earlier state. At most MAX_ORPHANS.
   */
  ListOrphanedUserPools: async ({ context, replication }) => {
    const orphans = (await replication.orphans.list()).slice(0, MAX_ORPHANS)
    return { UserPools: await Promise.all(orphans.map((orphan) => describeOrphan(context, orphan))) }
  },

  /** {UserPoolId} -> {}: makes this region the primary of an orphaned pool. */
  KeepOrphanedUserPool: async ({ context, replication }, input) => {
    const { id } = await context.pools.get(poolId(input))
    if (!(await replication.orphans.keep(id))) {
      throw invalidParameter('The user pool is not orphaned, or its rows are not complete in this Region.')
    }
    context.events.noted('orphan-kept', { pool: id })
    return {}
  },

  /** {UserPoolId} -> {}: deletes the replica of an orphaned pool, which may be its last copy. */
  DeleteOrphanedUserPool: async ({ context, replication }, input) => {
    const { id } = await context.pools.get(poolId(input))
    if (!(await replication.orphans.remove(id))) throw invalidParameter('The user pool is not orphaned.')
    context.events.noted('orphan-deleted', { pool: id })
    return {}
  },

  /** {UserPoolId} -> {Checksum, Users, Rows}: equal in two regions once all changes of the pool have been applied in both. */
  GetDirectoryChecksum: async ({ context }, input) => {
    const pool = await context.pools.get(poolId(input))
    const { checksum, rows } = await checksumOf(context.store, pool.id, context.clock.now())
    return { Checksum: checksum, Users: rows.user ?? 0, Rows: rows }
  },

  /**
   * {UserPoolId} -> {UserPoolId, DataKey, Status}: gives the pool a new data key, at its primary region; while one is PENDING, returns that.
   */
  RotateDataKey: async ({ context }, input) => {
    const pool = await context.pools.get(poolId(input))
    return describeDataKey(pool.id, await requestDataKey(context, pool))
  },

  /** {UserPoolId} -> {UserPoolId, DataKey, Status}: the newest data key. PENDING: it seals as soon as every region of the pool has it. */
  DescribeDataKey: async ({ context }, input) => {
    const pool = await context.pools.get(poolId(input))
    return describeDataKey(pool.id, await context.keys.newest(pool.id))
  },

  /**
   * {MasterKeyId} -> {Keys, Resealed, UnreadableKeyArns}: seals all keys of the key ring under the new master key. The id is that of
   * the new master key; a process that has not read it yet refuses.
   */
  RekeyKeyRing: async ({ keyRing }, input) => {
    if (!keyRing) throw invalidParameter('The keys of this region are in AWS KMS.')
    if (input.MasterKeyId !== keyRing.masterKeyId()) {
      throw invalidParameter('This process does not use the new master key yet: send it SIGHUP, or restart it.')
    }
    const { keys, resealed, unreadable } = await keyRing.rekey()
    return { Keys: keys, Resealed: resealed, UnreadableKeyArns: unreadable }
  },
}

const describeDataKey = (pool: string, { number, active }: NewestDataKey) => ({
  UserPoolId: pool,
  DataKey: number,
  Status: active ? 'ACTIVE' : 'PENDING',
})

const describeOrphan = async ({ store }: Pick<Context, 'store'>, { pool, primary, since, isComplete }: Orphan) => ({
  Id: pool,
  PrimaryRegion: primary,
  OrphanedSince: since / 1_000,
  Complete: isComplete,
  Users: await store.count('user', { pool }),
})

const describePeer = (peer: PeerStatus) => ({
  Region: peer.region,
  Connected: peer.connected,
  Problem: peer.problem,
  Position: peer.position,
  AcknowledgedPosition: peer.acknowledged,
  LagSeconds: peer.lagSeconds,
})

const describeCopy = (copy: CopyStatus) => ({
  UserPoolId: copy.pool,
  FromRegion: copy.from,
  Purpose: copy.purpose.toUpperCase(),
  Rows: copy.rows,
  EstimatedRows: copy.estimatedRows,
  StartedAt: copy.startedAt / 1_000,
  EstimatedSecondsLeft: copy.estimatedSecondsLeft,
})

function poolId({ UserPoolId: id }: Record<string, unknown>): string {
  if (typeof id !== 'string' || !/^[\w-]+_[0-9a-zA-Z]+$/.test(id) || id.length > 55) {
    throw invalidParameter('UserPoolId is not the id of a user pool.')
  }
  return id
}
