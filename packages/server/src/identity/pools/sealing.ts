import type { Context } from '../../context.ts'
import { sealBatch } from '../../directory/group.ts'
import type { OpenPool } from '../../directory/open-pool.ts'
import { lockPool, openPool, type Pool, putPool } from '../../directory/pool.ts'
import { KeyUnavailableError } from '../../keys/provider.ts'
import { peerKnows } from '../../replication/known-kinds.ts'
import { removeUnchanged } from '../../store/apply.ts'
import type { Kind } from '../../store/kinds.ts'
import { listRowsOfAllPools } from '../../store/rows.ts'
import { sealSignOuts } from '../../tokens/revocation.ts'
import { sweepPeriodically } from './sweep.ts'

/*
 * The first release stored group names, memberships, subs of sign-outs and, in pools with a customer managed key, message templates
 * as plain text. New pools are sealed at their creation. The primary of an older pool rewrites it with ordinary writes, once every process
 * of the region and every region of the pool reports that it can read the new form:
 *
 *   (absent)  -> `sealing`   writes use the new form, reads use both
 *   `sealing` -> `sealed`    no row of the old form is left; set in a later sweep, when all caches have `sealing`
 *
 * Sign-outs are shared facts, which every region writes to its own log: each region rewrites its own rows.
 * The log, tombstones and freed pages hold old plain text until the log's retention has passed (docs/decisions/sealing.md).
 */

/** Kinds that a region must know to hold a sealed pool. */
export const SEALED_KINDS = ['sealed-group', 'sealed-member'] as const satisfies Kind[]

const SWEEP_MILLISECONDS = 60_000
const PAGE_POOLS = 100
/** Few, because other writers of groups and memberships in the pool wait until the transaction ends. */
const STEP_ROWS = 25
const PAGE_ROWS = 500
/** Another region that was cut off while the pool moved may still send sign-outs of the old form. */
const SIGN_OUTS_MILLISECONDS = 3_600_000

type SealingContext = Pick<Context, 'store' | 'region' | 'pools' | 'keys' | 'events' | 'clock'> & {
  /** Whether a process of the first release is connected to the database of another region. Throws if it cannot be reached. */
  hasOlderProcesses(region: string): Promise<boolean>
}

/**
 * Moves every pool of this region one step forward. `rewritten`: when this process last rewrote the sign-outs of a pool (ms since
 * the epoch).
 */
export async function sealPools(context: SealingContext, rewritten: Map<string, number> = new Map()): Promise<void> {
  const { store, region, pools, keys, clock } = context
  const due = (pool: string): boolean => clock.now() - (rewritten.get(pool) ?? 0) >= SIGN_OUTS_MILLISECONDS
  let after: { pool: string; key: string } | undefined
  for (;;) {
    const rows = await listRowsOfAllPools(store.db, 'pool', { after, limit: PAGE_POOLS })
    for (const row of rows) {
      after = { pool: row.pool, key: row.key }
      const pool = await pools.find(row.pool)
      if (!pool || (pool.document.form === 'sealed' && !due(pool.id))) continue
      try {
        const opened = openPool(pool, await keys.get(pool.id))
        if (pool.topology.primary === region && pool.document.form !== 'sealed') await sealPool(context, opened)
        else if (pool.document.form === 'sealed') {
          await rewriteSignOuts(context, opened)
          rewritten.set(pool.id, clock.now())
        }
      } catch (error) {
        // Skip a pool while its key is disabled.
        if (!(error instanceof KeyUnavailableError)) throw error
      }
    }
    if (rows.length < PAGE_POOLS) return
  }
}

/** Sweeps periodically until the signal aborts. */
export async function runSealing(context: SealingContext, signal: AbortSignal): Promise<void> {
  const rewritten = new Map<string, number>()
  const sweep = () => sealPools(context, rewritten)
  await sweepPeriodically(context, { operation: 'sealing of pools', milliseconds: SWEEP_MILLISECONDS, sweep }, signal)
}

async function sealPool(context: SealingContext, opened: OpenPool): Promise<void> {
  const { store } = context
  const { pool } = opened
  if (pool.document.form === undefined) {
    if (await isReadyEverywhere(context, pool)) await setForm(context, opened, 'sealing')
    return
  }
  for (let moved = STEP_ROWS; moved === STEP_ROWS; ) {
    moved = await store.write((tx) => sealBatch(tx, opened, STEP_ROWS))
  }
  await setForm(context, opened, 'sealed')
}

/** Whether a new pool can be sealed: no older build is known to run in this region, or in a region that may get a replica. */
export async function canSealNewPool({ store, endpoints }: Pick<Context, 'store' | 'endpoints'>): Promise<boolean> {
  if (await store.engine.hasOlderProcesses()) return false
  for (const region of Object.keys(endpoints)) {
    if (region !== store.region && (await peerKnows(store, region, SEALED_KINDS)) === false) return false
  }
  return true
}

/** Whether all processes in all regions of the pool report that they can read the new form. */
async function isReadyEverywhere({ store, hasOlderProcesses }: SealingContext, { replicas }: Pool): Promise<boolean> {
  if (await store.engine.hasOlderProcesses()) return false
  for (const { region } of replicas) {
    if (region === store.region) continue
    if (!(await peerKnows(store, region, SEALED_KINDS))) return false
    // During a rolling restart, the process that follows this region may be newer than another that serves users.
    if (await hasOlderProcesses(region).catch(() => true)) return false
  }
  return true
}

async function setForm({ store, events }: SealingContext, opened: OpenPool, form: 'sealing' | 'sealed'): Promise<void> {
  const set = await store.write(async (tx) => {
    const document = await lockPool(tx, opened)
    // Another process may have moved the pool, or a restored row may have moved it back.
    if (document.form !== (form === 'sealed' ? 'sealing' : undefined)) return false
    if (form === 'sealed' && (await sealBatch(tx, opened, STEP_ROWS)) > 0) return false
    await putPool(tx, opened, { ...document, form })
    return true
  })
  if (set) events.noted(`pool-${form}`, { pool: opened.pool.id })
}

async function rewriteSignOuts({ store }: SealingContext, opened: OpenPool): Promise<void> {
  const pool = opened.pool.id
  let after: string | undefined
  for (;;) {
    const rows = await store.list('sign-out', { pool, after, limit: PAGE_ROWS })
    const plain = await store.write((tx) => sealSignOuts(tx, opened, rows))
    if (plain.length > 0) await store.transaction((connection) => removeUnchanged(connection, 'sign-out', plain))
    if (rows.length < PAGE_ROWS) return
    after = rows.at(-1)?.key
  }
}
