import type { Context } from '../../context.ts'
import { completeNames, findNameIndex, otherNamesOf, setNameIndex } from '../../directory/name-index.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { lockPool, openPoolOf } from '../../directory/pool.ts'
import { lockUser, openUser } from '../../directory/user.ts'
import { CognitoError } from '../../errors.ts'
import { listRowsOfAllPools } from '../../store/rows.ts'
import { attemptPool, sweepPeriodically } from './sweep.ts'

/*
 * Releases up to 0.1.0 indexed a name in its spelling only, so that another spelling of it, such as NFD for NFC, found nobody. The primary
 * of a pool adds the normal forms of such names as aliases, with ordinary writes. An older process ignores them, and finds each user as
 * before. A second pass, an hour after the first, finds the names that older processes wrote during a rolling upgrade.
 *
 * Two users whose names have one normal form are both kept: each is found by the exact spelling, and the event `names-collide` reports
 * them. The normal form finds the user whose name is stored so, else the one that was indexed first.
 */

const SWEEP_MILLISECONDS = 600_000
const BETWEEN_PASSES_MILLISECONDS = 3_600_000
const PAGE_POOLS = 100
/** Few, because opening them occupies the event loop. */
const PAGE_USERS = 100
const PAUSE_MILLISECONDS = 5

type NameIndexContext = Pick<Context, 'store' | 'pools' | 'keys' | 'events' | 'clock'>

/** Makes the pass that is due in each pool whose primary is this region. */
export async function indexNames(context: NameIndexContext, signal: AbortSignal): Promise<void> {
  const { store, pools } = context
  let after: { pool: string; key: string } | undefined
  for (;;) {
    const rows = await listRowsOfAllPools(store.db, 'pool', { after, limit: PAGE_POOLS })
    for (const row of rows) {
      after = { pool: row.pool, key: row.key }
      const pool = await pools.find(row.pool)
      if (pool?.role !== 'PRIMARY' || !(await isDue(context, pool.id))) continue
      const work = async () => indexPool(context, await openPoolOf(context, pool), signal)
      await attemptPool(context, `indexing of names in the pool ${pool.id}`, work).catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
      if (signal.aborted) return
    }
    if (rows.length < PAGE_POOLS) return
  }
}

export const runNameIndex = (context: NameIndexContext, signal: AbortSignal): Promise<void> =>
  sweepPeriodically(
    context,
    { operation: 'indexing of names', milliseconds: SWEEP_MILLISECONDS, sweep: () => indexNames(context, signal) },
    signal,
  )

async function isDue({ store, clock }: NameIndexContext, pool: string): Promise<boolean> {
  const progress = await findNameIndex(store, pool)
  return !progress || (!progress.done && clock.now() >= progress.passed + BETWEEN_PASSES_MILLISECONDS)
}

async function indexPool(context: NameIndexContext, openPool: OpenPool, signal: AbortSignal): Promise<void> {
  const { store, clock, events } = context
  const pool = openPool.pool.id
  let after: string | undefined
  for (;;) {
    const rows = await store.list('user', { pool, after, limit: PAGE_USERS })
    for (const row of rows) {
      const found = openUser(openPool, row)
      if (!found || otherNamesOf(openPool, found).length === 0) continue
      const { sub } = found
      const taken = await store
        .write(async (tx) => completeNames(tx, openPool, await lockUser(tx, openPool, sub)))
        .catch(unlessDeleted)
      for (const { type, other } of taken) events.noted('names-collide', { pool, sub, other, type })
    }
    if (rows.length < PAGE_USERS) break
    after = rows.at(-1)?.key
    await clock.wait(PAUSE_MILLISECONDS, signal)
  }
  await store.write(async (tx) => {
    await lockPool(tx, openPool)
    const progress = await findNameIndex(tx, pool)
    await setNameIndex(tx, pool, progress ? { ...progress, done: true } : { passed: tx.now })
  })
}

function unlessDeleted(error: unknown): [] {
  if (error instanceof CognitoError && error.code === 'UserNotFoundException') return []
  throw error
}
