import type { Connection } from '../store/database.ts'
import { type Kind, scopeOf, type Topology } from '../store/kinds.ts'
import type { Replica } from '../store/merge.ts'
import type { PoolRoles } from '../store/roles.ts'
import { listRowsOfAllPools, type Row } from '../store/rows.ts'
import { parseReplica, parseTopology } from './documents.ts'

/*
 * The roles of regions in a pool (primary, replica, none), and what follows from them: which changes a peer is sent, and which
 * changes from a peer are accepted.
 */

const LIST_PAGE_ROWS = 500

/** The topologies of all pools that this region holds. */
export async function* listTopologies(db: Connection): AsyncGenerator<Topology & { pool: string }> {
  for await (const { pool, body } of listAll(db, 'topology')) yield { ...parseTopology(body), pool }
}

/** The replicas of all pools, as far as this region knows them. */
export async function* listReplicas(db: Connection): AsyncGenerator<Replica & { pool: string }> {
  for await (const { pool, body } of listAll(db, 'replica')) yield { ...parseReplica(body), pool }
}

async function* listAll<K extends Kind>(db: Connection, kind: K): AsyncGenerator<Row<K>> {
  let after: Row<K> | undefined
  for (;;) {
    const rows: Row<K>[] = await listRowsOfAllPools(db, kind, { after, limit: LIST_PAGE_ROWS })
    yield* rows
    if (rows.length < LIST_PAGE_ROWS) return
    after = rows.at(-1)
  }
}

export const replicaIn = ({ replicas }: PoolRoles, region: string): Replica | undefined =>
  replicas.find((replica) => replica.region === region)

/** Whether a peer has the pool, or will get it. */
export function sharesPool(roles: PoolRoles, peer: string): boolean {
  const status = replicaIn(roles, peer)?.status
  return roles.topology?.primary === peer || (status !== undefined && status !== 'DELETED')
}

/** Whether a region applies changes of the pool. */
export function holdsPool(roles: PoolRoles, region: string): boolean {
  if (!roles.topology) return false
  return roles.topology.primary === region || isReplica(roles, region)
}

/**
 * Whether a region has a replica of the pool but not its rows: the replica is new, or the region has lost its store. A replica that
 * is CREATING without a copy in progress was created again before its deletion was complete.
 */
export function needsFirstCopy(roles: PoolRoles, region: string): boolean {
  if (!isReplica(roles, region)) return false
  const { topology, copiedFrom } = roles
  return !topology || (replicaIn(roles, region)?.status === 'CREATING' && !copiedFrom.includes(topology.primary))
}

/** Whether a region has a replica of the pool that is not being deleted. */
export function isReplica(roles: PoolRoles, region: string): boolean {
  const status = replicaIn(roles, region)?.status
  return status === 'CREATING' || status === 'INACTIVE' || status === 'ACTIVE'
}

/** Whether a change is sent to a peer. `replicaRegion`: the region that a `replica` row describes. */
export function isSentTo(
  roles: PoolRoles,
  {
    region,
    peer,
    kind,
    replicaRegion,
  }: { region: string; peer: string; kind: Kind; replicaRegion?: string | undefined },
): boolean {
  if (scopeOf(kind) === 'regional') return false
  if (sharesPool(roles, peer)) return true
  if (kind === 'replica') return replicaRegion === peer || replicaRegion === region
  // The region of a deleted replica may have written shared facts that its peers do not have yet.
  return scopeOf(kind) === 'shared' && !roles.topology && replicaIn(roles, region) !== undefined
}
