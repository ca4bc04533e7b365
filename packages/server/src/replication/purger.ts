import type { Clock } from '../clock.ts'
import { removeUnchanged } from '../store/apply.ts'
import { expiringKinds, expiryOf } from '../store/merge.ts'
import { listRowsOfAllPools } from '../store/rows.ts'
import type { Store } from '../store/store.ts'

/**
 * Removes expired shared facts. Each region does so on its own, without a change in the log: every fact contains its expiry
 * time.
 */
export interface Purger {
  /**
   * Continues where the last call ended, page by page, while at least half of a page is expired. Returns the number of removed
   * rows.
   */
  purge(): Promise<number>
}

const READ_ROWS = 1_000
/** Much more than the largest clock difference: a region whose clock is behind must not lose a fact that it still needs. */
const MARGIN_MILLISECONDS = 3_600_000

export function createPurger({
  store,
  clock,
}: {
  store: Pick<Store, 'db' | 'transaction'>
  clock: Pick<Clock, 'now'>
}): Purger {
  let at = 0
  let after: { pool: string; key: string } | undefined

  /** Reads the next page and removes its expired rows. */
  const step = async (): Promise<{ read: number; removed: number }> => {
    const kind = expiringKinds[at] as (typeof expiringKinds)[number]
    const rows = await listRowsOfAllPools(store.db, kind, { after, limit: READ_ROWS })
    const before = clock.now() - MARGIN_MILLISECONDS
    const ended = rows.filter(({ body }) => expiryOf(kind, body) <= before)
    if (ended.length > 0) {
      await store.transaction((connection) => removeUnchanged(connection, kind, ended), { relaxed: true })
    }
    if (rows.length === READ_ROWS) after = rows.at(-1)
    else {
      at = (at + 1) % expiringKinds.length
      after = undefined
    }
    return { read: rows.length, removed: ended.length }
  }

  return {
    purge: async () => {
      let sum = 0
      for (;;) {
        const { read, removed } = await step()
        sum += removed
        if (removed === 0 || removed < read / 2) return sum
      }
    },
  }
}
