import type { Events } from '../events/events.ts'
import { isFirstCopy, listCopies } from '../store/copies.ts'
import type { Store } from '../store/store.ts'
import { listReplicas } from './roles.ts'
import { COMPLETE } from './stages.ts'

/** Watches whether this region can open the pools of which it has a replica: a replica without the pool's key fails every call. */
export interface KeyWatch {
  /** Checks every replica, and reports the ones whose state has changed. */
  check(): Promise<void>
  /** How many replicas could not be opened at the last check. */
  readonly closed: number
}

export function createKeyWatch({
  store,
  region,
  events,
  opensPool,
}: {
  store: Store
  region: string
  events: Pick<Events, 'noted' | 'closedReplicas'>
  /** Whether the data key of the pool can be unwrapped; undefined if there is none yet. */
  opensPool(pool: string): Promise<boolean | undefined>
}): KeyWatch {
  let closed = new Set<string>()
  return {
    check: async () => {
      const found = new Set<string>()
      // Before a first copy has all rows, it does not need the key, which may still be on its way from the primary.
      const copied = (await listCopies(store.db)).filter((copy) => isFirstCopy(copy) && copy.stage !== COMPLETE)
      const incomplete = new Set(copied.map(({ pool }) => pool))
      for await (const { pool, region: of, status } of listReplicas(store.db)) {
        if (of !== region || status === 'DELETING' || status === 'DELETED') continue
        if (status === 'CREATING' && incomplete.has(pool)) continue
        if ((await opensPool(pool)) === false) found.add(pool)
      }
      for (const pool of found) if (!closed.has(pool)) events.noted('replica-key-unavailable', { pool })
      for (const pool of closed) if (!found.has(pool)) events.noted('replica-key-available', { pool })
      closed = found
      events.closedReplicas(found.size)
    },
    get closed() {
      return closed.size
    },
  }
}
