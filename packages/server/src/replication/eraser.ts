import { clearTombstones, clearTouched, removeCopies } from '../store/copies.ts'
import { type Kind, kindNames, kinds, scopeOf } from '../store/kinds.ts'
import { readStanding } from '../store/standings.ts'
import { eraseRows } from '../store/write.ts'
import { applying, type FollowerContext, shareStatus } from './follower.ts'
import { listReplicas, replicaIn } from './standing.ts'

export interface Eraser {
  /** Pools whose replica here is to be removed. */
  listDue(): Promise<string[]>
  /** Removes some rows of the pool, in one bounded transaction; answers whether anything is left to do. */
  step(pool: string): Promise<boolean>
}

const STEP_ROWS = 1_000

/** The topology row goes last: as long as it is there the removal is known to be unfinished. Replica rows stay. */
const erased: readonly Kind[] = [
  ...kindNames.filter((kind) => kind !== 'topology' && kind !== 'replica' && isOfPool(kind)),
  'topology',
]

function isOfPool(kind: Kind): boolean {
  return scopeOf(kind) !== 'regional' || kind === 'settings' || kind === 'prefix-domain'
}

export function createEraser(context: FollowerContext): Eraser {
  const { store, region } = context
  return {
    listDue: async () => {
      const due: string[] = []
      for await (const replica of listReplicas(store.db)) {
        if (replica.region === region && replica.status === 'DELETING') due.push(replica.pool)
      }
      return due
    },

    step: (pool) =>
      applying(context, async ({ tx, connection, touched }) => {
        const own = replicaIn(await readStanding(tx.connection, pool), region)
        if (own?.status !== 'DELETING') return false
        await removeCopies(connection, pool)
        await clearTouched(connection, pool)
        await clearTombstones(connection, pool)
        let room = STEP_ROWS
        for (const kind of erased) {
          const keys = await eraseRows(connection, kind, { pool, limit: room })
          if (kinds[kind].cached) touched.push(...keys.map((key) => ({ kind, pool, key })))
          room -= keys.length
          if (room === 0) return true
        }
        await shareStatus(tx, pool, { ...own, status: 'DELETED' })
        return false
      }),
  }
}
