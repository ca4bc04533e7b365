import { createHash } from 'node:crypto'
import { replaceRows } from '../store/apply.ts'
import { isFirstCopy, listCopies, ORPHANED, removeCopies } from '../store/copies.ts'
import { ONLY, type Topology } from '../store/kinds.ts'
import { readPoolRoles } from '../store/roles.ts'
import { type FollowerContext, inApplyTransaction, shareStatus } from './follower.ts'
import { replicaIn } from './roles.ts'

/** A pool of which this region has a replica, and which its primary does not know. */
export interface Orphan {
  pool: string
  /** The region that was its primary. */
  primary: string
  /** Milliseconds since the epoch. */
  since: number
  /** Whether the rows here are complete; if not, the pool cannot be kept. */
  isComplete: boolean
}

/** The pools that lost their primary. The rows here may be their last copy, so only an operator decides. */
export interface Orphans {
  list(): Promise<Orphan[]>
  /** Makes this region the primary of the pool. Returns false if the pool is not an orphan, or not complete. */
  keep(pool: string): Promise<boolean>
  /** Begins to delete the replica. Returns false if the pool is not an orphan. */
  remove(pool: string): Promise<boolean>
}

export function createOrphans(context: FollowerContext): Orphans {
  const { store, region } = context
  const list = async (db = store.db): Promise<Orphan[]> =>
    (await listCopies(db))
      .filter(({ stage }) => stage === ORPHANED)
      .map((copy) => ({ pool: copy.pool, primary: copy.peer, since: copy.started, isComplete: !isFirstCopy(copy) }))

  return {
    list: () => list(),
    keep: (pool) =>
      inApplyTransaction(context, async ({ tx, connection, touched }) => {
        const orphan = (await list(connection)).find((one) => one.pool === pool)
        const roles = await readPoolRoles(connection, pool)
        if (!orphan?.isComplete || roles.topology?.primary !== orphan.primary) return false
        const epoch = epochAfter(roles.topology.epoch, region)
        const body = JSON.stringify({ primary: region, epoch } satisfies Topology)
        const row = { pool, key: ONLY, body, fields: {} }
        // Until this row is here, the transaction refuses to write the pool.
        await replaceRows(connection, 'topology', [{ ...row, stamp: { epoch, seq: 0 } }])
        await tx.put('topology', row)
        const own = replicaIn(roles, region)
        if (own) await shareStatus(tx, pool, { replica: own, status: 'DELETED' })
        await removeCopies(connection, pool)
        touched.push({ kind: 'topology', pool, key: ONLY })
        return true
      }),
    remove: (pool) =>
      inApplyTransaction(context, async ({ tx, connection }) => {
        const orphan = (await list(connection)).find((one) => one.pool === pool)
        const own = replicaIn(await readPoolRoles(connection, pool), region)
        if (!orphan || !own) return false
        await shareStatus(tx, pool, { replica: own, status: 'DELETING' })
        return true
      }),
  }
}

const EPOCHS = 4_096

/**
 * The epoch that a region begins by itself. It is far above the epochs that renewals of the old primary's log take, and differs between
 * regions, so that a former primary that comes back, or a second region that kept the pool, never has the same epoch.
 */
function epochAfter(epoch: number, region: string): number {
  const slot = createHash('sha256').update(region).digest().readUInt16BE() % EPOCHS
  return (Math.floor(epoch / EPOCHS) + 1) * EPOCHS + slot
}
