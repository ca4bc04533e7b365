import type { Context } from '../../context.ts'
import { formOf, type OpenPool } from '../../directory/open-pool.ts'
import { lockPool, openPoolOf, type PoolDocument, putPool } from '../../directory/pool.ts'
import { sealBatch } from '../../directory/sealing.ts'
import { resealSigningKeys } from '../../directory/signing-key.ts'
import type { PoolKeys } from '../../keys/pool-keys.ts'
import { peerKnows } from '../../replication/known-kinds.ts'
import { removeUnchanged } from '../../store/apply.ts'
import type { Kind } from '../../store/kinds.ts'
import { listRowsOfAllPools } from '../../store/rows.ts'
import type { Transaction } from '../../store/write.ts'
import { sealSignOuts } from '../../tokens/revocation.ts'
import { isReadyEverywhere, type ReadinessContext } from './readiness.ts'
import { attemptPool, sweepPeriodically } from './sweep.ts'

/*
 * The first release stored group names, memberships, subs of sign-outs and, in pools with a customer managed key, message templates
 * as plain text. New pools are sealed at their creation. The primary of an older pool rewrites it with ordinary writes, once every process
 * of the region and every region of the pool reports that it can read the new form:
 *
 *   (absent)  -> `sealing`   writes use the new form, reads use both
 *   `sealing` -> `sealed`    no row of the old form is left; set in a later sweep, when all caches have `sealing`
 *
 * The last step also wraps the data key again and seals the signing keys again: they prove the form, whatever the database says.
 * A pool that was set back is put right.
 *
 * Sign-outs are shared facts, which every region writes to its own log: each region rewrites its own rows.
 * The log, tombstones and freed pages hold old plain text until the log's retention has passed (docs/decisions/sealing.md).
 */

/** Kinds that a region must know to hold a sealed pool. */
export const SEALED_KINDS = ['sealed-group', 'sealed-member'] as const satisfies Kind[]

const SWEEP_MILLISECONDS = 60_000
/** A process of the first release, or a region that lagged behind, may have written old rows after a rewrite. */
const REWRITE_MILLISECONDS = 3_600_000
const PAGE_POOLS = 100
/** Few, because other writers of groups and memberships in the pool wait until the transaction ends. */
const STEP_ROWS = 25
const PAGE_ROWS = 500

type SealingContext = Pick<Context, 'store' | 'region' | 'pools' | 'keys' | 'events' | 'clock'> & ReadinessContext

/** When this process last checked the proofs and rewrote the sign-outs of a sealed pool (ms since the epoch). */
type RewriteTimes = Map<string, number>

/** Moves every pool of this region one step forward. */
export async function sealPools(context: SealingContext, rewritten: RewriteTimes = new Map()): Promise<void> {
  const { clock, store, pools } = context
  let after: { pool: string; key: string } | undefined
  for (;;) {
    const rows = await listRowsOfAllPools(store.db, 'pool', { after, limit: PAGE_POOLS })
    for (const row of rows) {
      after = { pool: row.pool, key: row.key }
      const pool = await pools.find(row.pool)
      const now = clock.now()
      const isDue = now - (rewritten.get(row.pool) ?? Number.NEGATIVE_INFINITY) >= REWRITE_MILLISECONDS
      if (!pool || (pool.document.form === 'sealed' && !isDue)) continue
      await attemptPool(context, `sealing of the pool ${pool.id}`, async () => {
        const opened = await openPoolOf(context, pool)
        await movePool(context, opened)
        if (!isDue || formOf(opened) !== 'sealed') return
        await rewriteSignOuts(context, opened)
        rewritten.set(pool.id, now)
      })
    }
    if (rows.length < PAGE_POOLS) return
  }
}

async function movePool(context: SealingContext, opened: OpenPool): Promise<void> {
  if (opened.pool.topology.primary !== context.region) return
  if (formOf(opened) === 'sealed') await restoreForm(context, opened)
  else await sealPool(context, opened)
}

/** Sweeps periodically until the signal aborts. */
export async function runSealing(context: SealingContext, signal: AbortSignal): Promise<void> {
  const rewritten: RewriteTimes = new Map()
  const sweep = () => sealPools(context, rewritten)
  await sweepPeriodically(context, { operation: 'sealing of pools', milliseconds: SWEEP_MILLISECONDS, sweep }, signal)
}

async function sealPool(context: SealingContext, opened: OpenPool): Promise<void> {
  const { store } = context
  const { pool } = opened
  if (pool.document.form === undefined) {
    if (await isReadyEverywhere(context, pool, { kinds: SEALED_KINDS, ability: 'sealing' }))
      await beginSealing(context, opened)
    return
  }
  for (let moved = STEP_ROWS; moved === STEP_ROWS; ) {
    moved = await store.write((tx) => sealBatch(tx, opened, STEP_ROWS))
  }
  await endSealing(context, opened)
}

/** Whether a new pool can be sealed: no older build is known to run in this region, or in a region that may get a replica. */
export async function canSealNewPool({ store, endpoints }: Pick<Context, 'store' | 'endpoints'>): Promise<boolean> {
  if (await store.engine.hasOlderProcesses()) return false
  for (const region of Object.keys(endpoints)) {
    if (region !== store.region && (await peerKnows(store, region, SEALED_KINDS)) === false) return false
  }
  return true
}

async function beginSealing({ store, events }: SealingContext, opened: OpenPool): Promise<void> {
  const set = await store.write(async (tx) => {
    const document = await lockPool(tx, opened)
    // Another process may have moved the pool, or a restored row may have moved it back.
    if (document.form !== undefined) return false
    await putPool(tx, opened, { ...document, form: 'sealing' })
    return true
  })
  if (set) events.noted('pool-sealing', { pool: opened.pool.id })
}

async function endSealing({ store, keys, events }: SealingContext, opened: OpenPool): Promise<void> {
  const sealed = await keys.seal(opened.pool.id)
  if (!sealed) return
  const set = await store.write(async (tx) => {
    const document = await lockPool(tx, opened)
    if (document.form !== 'sealing' || (await sealBatch(tx, opened, STEP_ROWS)) > 0) return false
    return writeSealed(tx, opened, { document, sealed })
  })
  if (set) events.noted('pool-sealed', { pool: opened.pool.id })
}

/** Puts a sealed pool right whose document or data key was set back; or that was sealed before data keys proved it. */
async function restoreForm({ store, keys, events }: SealingContext, opened: OpenPool): Promise<void> {
  const sealed = await keys.seal(opened.pool.id)
  if (!sealed && opened.pool.document.form === 'sealed') return
  const set = await store.write(async (tx) => {
    const document = await lockPool(tx, opened)
    if (sealed) return writeSealed(tx, opened, { document, sealed })
    if (document.form === 'sealed') return false
    await putPool(tx, opened, document)
    return true
  })
  if (set) events.noted('pool-form-restored', { pool: opened.pool.id })
}

/** Writes the form with its proofs: document, data key and signing keys. Returns false if the data key has changed since. */
async function writeSealed(
  tx: Transaction,
  { pool, cipher }: OpenPool,
  { document, sealed }: { document: PoolDocument; sealed: NonNullable<Awaited<ReturnType<PoolKeys['seal']>>> },
): Promise<boolean> {
  if (!(await sealed.write(tx))) return false
  await resealSigningKeys(tx, { pool, before: cipher, after: sealed.cipher })
  await putPool(tx, { pool, cipher: sealed.cipher }, { ...document, form: 'sealed' })
  return true
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
