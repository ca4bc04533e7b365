import type { Context } from '../../context.ts'
import { groupNotFound, lockGroup, removeGroup } from '../../directory/group.ts'
import { beginRemoval, endRemoval, groupOf, listRemovals } from '../../directory/group-removal.ts'
import { removeMembers } from '../../directory/member.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { openPoolOf } from '../../directory/pool.ts'
import { SealBrokenError } from '../../keys/pool-keys.ts'
import { KeyUnavailableError } from '../../keys/provider.ts'
import type { Transaction } from '../../store/write.ts'
import { sweepPeriodically } from '../pools/sweep.ts'

/*
 * Removing its row deletes a group: no call finds it any more, and memberships of a group that does not exist have no effect. They are
 * removed in steps, each a transaction, whatever their number. A mark keeps an unfinished removal; CreateGroup finishes it before
 * it creates a group with the same name.
 */

/** Bounded, because the transaction locks each row; a multiple of the largest chunk (store/upsert.ts). */
const STEP_ROWS = 512
/** Steps that DeleteGroup runs before it returns; enough for most groups. */
const STEPS_AT_ONCE = 40
const SWEEP_ROWS = 100
const SWEEP_MILLISECONDS = 30_000

/** Removes a group and its memberships. Throws ResourceNotFoundException. */
export async function deleteGroup({ store }: Pick<Context, 'store'>, openPool: OpenPool, name: string): Promise<void> {
  let complete = await store.write(async (tx) => {
    if (!(await lockGroup(tx, openPool, name))) throw groupNotFound()
    await removeGroup(tx, openPool, name)
    const complete = await removeSomeMembers(tx, openPool, name)
    if (!complete) await beginRemoval(tx, openPool, name)
    return complete
  })
  for (let step = 1; step < STEPS_AT_ONCE && !complete; step += 1) {
    complete = await continueRemoval({ store }, openPool, name)
  }
}

/** Removes some memberships of a group; returns whether none is left. The group must be locked. */
export const removeSomeMembers = async (tx: Transaction, openPool: OpenPool, group: string): Promise<boolean> =>
  (await removeMembers(tx, openPool, { group, limit: STEP_ROWS })) < STEP_ROWS

const continueRemoval = ({ store }: Pick<Context, 'store'>, openPool: OpenPool, group: string): Promise<boolean> =>
  store.write(async (tx) => {
    // A group that was created again has new members.
    const complete =
      (await lockGroup(tx, openPool, group)) !== undefined || (await removeSomeMembers(tx, openPool, group))
    if (complete) await endRemoval(tx, openPool, group)
    return complete
  })

type SweepContext = Pick<Context, 'store' | 'region' | 'pools' | 'keys'>

/** Finishes the removals of deleted groups. */
export async function sweepDeletedGroups(context: SweepContext): Promise<void> {
  const { store, region, pools } = context
  let after: { pool: string; key: string } | undefined
  for (;;) {
    const rows = await listRemovals(store, { after, limit: SWEEP_ROWS })
    for (const row of rows) {
      after = row
      const pool = await pools.find(row.pool)
      if (pool?.topology.primary !== region) continue
      try {
        const opened = await openPoolOf(context, pool)
        const group = groupOf(opened, row)
        if (group !== undefined) while (!(await continueRemoval(context, opened, group)));
      } catch (error) {
        // Skip a pool while its key is disabled, and a pool that somebody altered.
        if (!(error instanceof KeyUnavailableError || error instanceof SealBrokenError)) throw error
      }
    }
    if (rows.length < SWEEP_ROWS) return
  }
}

/** Sweeps periodically until the signal aborts. */
export async function runGroupSweeps(
  context: SweepContext & Pick<Context, 'clock' | 'events'>,
  signal: AbortSignal,
): Promise<void> {
  const sweep = () => sweepDeletedGroups(context)
  const settings = { operation: 'sweep of deleted groups', milliseconds: SWEEP_MILLISECONDS, sweep }
  await sweepPeriodically(context, settings, signal)
}
