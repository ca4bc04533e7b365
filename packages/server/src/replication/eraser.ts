import { erasePool, eraseRows } from '../store/apply.ts'
import { clearTombstones, clearTouched, removeCopies } from '../store/copies.ts'
import { ONLY } from '../store/kinds.ts'
import { readPoolRoles } from '../store/roles.ts'
import { type FollowerContext, inApplyTransaction, shareStatus } from './follower.ts'
import { listReplicas, replicaIn } from './roles.ts'

export interface Eraser {
  /** Pools whose replica in this region has the status DELETING. */
  listPoolsToErase(): Promise<string[]>
  /** Removes some rows of the pool in one bounded transaction. Returns whether more rows are left. */
  step(pool: string): Promise<boolean>
}

const STEP_ROWS = 1_000

export function createEraser(context: FollowerContext): Eraser {
  const { store, region } = context
  return {
    listPoolsToErase: async () => {
      const due: string[] = []
      for await (const replica of listReplicas(store.db)) {
        if (replica.region === region && replica.status === 'DELETING') due.push(replica.pool)
      }
      return due
    },

    step: (pool) =>
      inApplyTransaction(context, async ({ tx, connection, touched }) => {
        const own = replicaIn(await readPoolRoles(tx.connection, pool), region)
        if (own?.status !== 'DELETING') return false
        await removeCopies(connection, pool)
        await clearTouched(connection, pool)
        await clearTombstones(connection, pool)
        // The topology row goes last: its presence marks an unfinished removal. Replica rows stay.
        const erased = await erasePool(connection, touched, { pool, keep: ['topology', 'replica'], limit: STEP_ROWS })
        if (erased === STEP_ROWS) return true
        await eraseRows(connection, 'topology', { pool, limit: 1 })
        touched.push({ kind: 'topology', pool, key: ONLY })
        await shareStatus(tx, pool, { replica: own, status: 'DELETED' })
        return false
      }),
  }
}
