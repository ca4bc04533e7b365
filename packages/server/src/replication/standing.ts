import type { Connection } from '../store/database.ts'
import { type Kind, scopeOf, type Topology } from '../store/kinds.ts'
import type { Replica } from '../store/merge.ts'
import type { PoolRoles } from '../store/roles.ts'
import { listRowsOfAllPools, type Row } from '../store/rows.ts'

const LISTED_ROWS = 500

/** The topologies of all pools that this region holds. */
export async function* listTopologies(db: Connection): AsyncGenerator<Topology & { pool: string }> {
  for await (const { pool, body } of listAll(db, 'topology')) yield { ...(JSON.parse(body) as Topology), pool }
}

/** What this region knows of replicas, of all pools. */
export async function* listReplicas(db: Connection): AsyncGenerator<Replica & { pool: string }> {
  for await (const { pool, body } of listAll(db, 'replica')) yield { ...(JSON.parse(body) as Replica), pool }
}

async function* listAll<K extends Kind>(db: Connection, kind: K): AsyncGenerator<Row<K>> {
  let after: Row<K> | undefined
  for (;;) {
    const rows: Row<K>[] = await listRowsOfAllPools(db, kind, { after, limit: LISTED_ROWS })
    yield* rows
    if (rows.length < LISTED_ROWS) return
    after = rows.at(-1)
  }
}

export const replicaIn = ({ replicas }: PoolRoles, region: string): Replica | undefined =>
  replicas.find((replica) => replica.region === region)

/** Whether a peer has the pool, or is to have it. */
export function isShared(standing: PoolRoles, peer: string): boolean {
  const status = replicaIn(standing, peer)?.status
  return standing.topology?.primary === peer || (status !== undefined && status !== 'DELETED')
}

/** Whether a region keeps what comes for the pool. */
export function isHeld(standing: PoolRoles, region: string): boolean {
  if (!standing.topology) return false
  return standing.topology.primary === region || isReplica(standing, region)
}

/** Whether a region is to have the pool, and has nothing of it: its replica is being made, or the region has lost its store. */
export const isOwed = (standing: PoolRoles, region: string): boolean =>
  !standing.topology && isReplica(standing, region)

function isReplica(standing: PoolRoles, region: string): boolean {
  const status = replicaIn(standing, region)?.status
  return status === 'CREATING' || status === 'INACTIVE' || status === 'ACTIVE'
}

/** Whether a peer is told of a change; `replicaRegion`: of whose replica a `replica` row speaks. */
export function concerns(
  standing: PoolRoles,
  {
    region,
    peer,
    kind,
    replicaRegion,
  }: { region: string; peer: string; kind: Kind; replicaRegion?: string | undefined },
): boolean {
  if (scopeOf(kind) === 'regional') return false
  if (isShared(standing, peer)) return true
  if (kind === 'replica') return replicaRegion === peer || replicaRegion === region
  // A replica that is gone has written shared facts that its peers may not have yet.
  return scopeOf(kind) === 'shared' && !standing.topology && replicaIn(standing, region) !== undefined
}
