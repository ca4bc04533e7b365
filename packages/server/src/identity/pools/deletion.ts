import type { Context } from '../../context.ts'
import { parseDocument } from '../../directory/document.ts'
import { findDomainNames } from '../../directory/domain.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { lockPool, removePool } from '../../directory/pool.ts'
import { listReplicas } from '../../directory/replica.ts'
import { invalidParameter } from '../../errors.ts'
import { erasePool, eraseRows } from '../../store/apply.ts'
import { type Kind, ONLY } from '../../store/kinds.ts'
import { listRowsWithout } from '../../store/rows.ts'
import { sweepPeriodically } from './sweep.ts'

/*
 * Removing its `pool` row deletes a pool: no call finds it any more. Its other rows are removed in steps, the topology row
 * last. So a topology row without a pool row marks an unfinished deletion, whatever interrupted it.
 */

const STEP_ROWS = 1_000
/** Steps that DeleteUserPool runs before it returns; enough for most pools. */
const STEPS_AT_ONCE = 10
const SWEEP_POOLS = 100
const SWEEP_MILLISECONDS = 30_000

/** The kinds that mark an unfinished deletion. */
const KEPT: readonly Kind[] = ['topology', 'pool']

/**
 * Deletes a pool. Throws InvalidParameterException while it is protected, or has replicas or a domain;
 * ResourceNotFoundException when it is already deleted.
 */
export async function deletePool({ store }: Pick<Context, 'store'>, openPool: OpenPool): Promise<void> {
  const pool = openPool.pool.id
  await store.write(async (tx) => {
    const document = await lockPool(tx, openPool)
    if (document.DeletionProtection === 'ACTIVE') {
      throw invalidParameter(
        'The user pool cannot be deleted because deletion protection is activated. Deletion protection must be inactivated first.',
      )
    }
    if ((await listReplicas(tx, pool)).length > 0) {
      throw invalidParameter('User pool cannot be deleted. It has a replica that should be deleted first.')
    }
    if (Object.values(await findDomainNames(tx, pool)).some((name) => name !== undefined)) {
      throw invalidParameter('User pool cannot be deleted. It has a domain configured that should be deleted first.')
    }
    await removePool(tx, pool)
  })
  for (let step = 0; step < STEPS_AT_ONCE && (await eraseBatch({ store }, pool)) > 0; step += 1);
}

/**
 * Continues unfinished deletions. The topology row is removed by a later sweep that finds no other row: by then,
 * transactions that were running when the pool was deleted have ended, and their rows are removed.
 */
export async function sweepDeletedPools({ store, region }: Pick<Context, 'store' | 'region'>): Promise<void> {
  const rows = await listRowsWithout(store.db, 'topology', { lacking: 'pool', limit: SWEEP_POOLS })
  for (const row of rows) {
    const { pool } = row
    // In another region, the pool row may be missing because the pool is still being copied.
    if (parseDocument('topology', row).primary !== region) continue
    let left = await eraseBatch({ store }, pool)
    if (left === 0) {
      await store.transaction(async (connection, touched) => {
        await eraseRows(connection, 'topology', { pool, limit: 1 })
        touched.push({ kind: 'topology', pool, key: ONLY })
      })
    }
    while (left > 0) left = await eraseBatch({ store }, pool)
  }
}

/** Sweeps periodically until the signal aborts. */
export async function runPoolSweeps(
  context: Pick<Context, 'store' | 'region' | 'clock' | 'events'>,
  signal: AbortSignal,
): Promise<void> {
  const sweep = () => sweepDeletedPools(context)
  await sweepPeriodically(
    context,
    { operation: 'sweep of deleted pools', milliseconds: SWEEP_MILLISECONDS, sweep },
    signal,
  )
}

/**
 * Removes up to STEP_ROWS rows of a deleted pool in one transaction; returns how many it removed. The log does not record this:
 * no other region has the pool.
 */
async function eraseBatch({ store }: Pick<Context, 'store'>, pool: string): Promise<number> {
  return store.transaction((connection, touched) =>
    erasePool(connection, touched, { pool, keep: KEPT, limit: STEP_ROWS }),
  )
}
