import type { Context } from '../../context.ts'
import { formOf, type OpenPool } from '../../directory/open-pool.ts'
import { openPoolOf, type Pool } from '../../directory/pool.ts'
import { invalidParameter } from '../../errors.ts'
import type { NewestDataKey } from '../../keys/pool-keys.ts'
import { hasAcknowledged } from '../../store/changes.ts'
import { parseStored } from '../../store/documents.ts'
import type { Kind } from '../../store/kinds.ts'
import { listRowsOfAllPools } from '../../store/rows.ts'
import { isReadyEverywhere, type ReadinessContext } from './readiness.ts'
import { attemptPool, sweepPeriodically } from './sweep.ts'

/*
 * A sealed pool gets a further data key by age and by number of sealed values, or when an operator asks for it. Older ones go on
 * opening values. The primary does it in two steps, so that nobody meets a value whose key it does not have:
 *
 *   (none)    -> pending   once every region of the pool reports that it can open values under a newer data key
 *   pending   -> active    once every region of the pool has the key, and caches have dropped their copy without it
 *
 * Index columns depend on the first data key, which therefore never loses its use (docs/decisions/keys.md).
 */

/** Kinds that a region must know to open values under a newer data key. */
export const NEWER_KEY_KINDS = ['newer-data-key', 'seal-count'] as const satisfies Kind[]

const SWEEP_MILLISECONDS = 60_000
/** How often a pool is checked while nothing is pending. */
const CHECK_MILLISECONDS = 3_600_000
/** Longer than a process takes to receive a change of its region. */
const SETTLE_MILLISECONDS = 10_000
const DAY_MILLISECONDS = 86_400_000
const PAGE_POOLS = 100
const PAGE_COUNTS = 100
/** Fewer are kept in memory until the region stops; a crash loses them. */
const REPORTED_SEALS = 65_536

export interface RotationLimits {
  afterDays: number
  afterSeals: number
}

export type RotationContext = Pick<Context, 'store' | 'region' | 'pools' | 'keys' | 'events' | 'clock'> &
  ReadinessContext

/** When each pool is checked next (ms since the epoch). */
type NextChecks = Map<string, number>

/** Rotates periodically until the signal aborts. */
export async function runDataKeyRotation(
  context: RotationContext,
  limits: RotationLimits,
  signal: AbortSignal,
): Promise<void> {
  const next: NextChecks = new Map()
  const sweep = () => rotateDataKeys(context, limits, next)
  await sweepPeriodically(
    context,
    { operation: 'rotation of data keys', milliseconds: SWEEP_MILLISECONDS, sweep },
    signal,
  )
}

/** Saves the counts of seals, and takes the next step of every pool whose primary is this region. */
export async function rotateDataKeys(
  context: RotationContext,
  limits: RotationLimits,
  next: NextChecks = new Map(),
): Promise<void> {
  await saveSealCounts(context, REPORTED_SEALS)
  const { store, pools, clock, region } = context
  let after: { pool: string; key: string } | undefined
  for (;;) {
    const rows = await listRowsOfAllPools(store.db, 'pool', { after, limit: PAGE_POOLS })
    for (const row of rows) {
      after = { pool: row.pool, key: row.key }
      if ((next.get(row.pool) ?? 0) > clock.now()) continue
      const pool = await pools.find(row.pool)
      if (!pool || pool.topology.primary !== region) continue
      await attemptPool(context, `rotation of the data key of the pool ${row.pool}`, async () => {
        const isPending = await rotatePool(context, await openPoolOf(context, pool), limits)
        next.set(pool.id, clock.now() + (isPending ? 0 : CHECK_MILLISECONDS))
      })
    }
    if (rows.length < PAGE_POOLS) return
  }
}

/** Returns whether a data key is pending. */
async function rotatePool(context: RotationContext, opened: OpenPool, limits: RotationLimits): Promise<boolean> {
  if (formOf(opened) !== 'sealed') return false
  const { pool } = opened
  const newest = await context.keys.newest(pool.id)
  if (!newest.active) return !(await activate(context, pool, newest))
  if (!(await isDue(context, pool, { newest, limits }))) return false
  return (await isReady(context, pool)) && (await create(context, pool)) !== undefined
}

/**
 * Creates a data key for a pool at once, whatever the limits; the sweep lets it seal once every region has it. Returns the pending one
 * if there is one. Throws InvalidParameterException where it is not possible now.
 */
export async function requestDataKey(context: RotationContext, pool: Pool): Promise<NewestDataKey> {
  const { region, keys } = context
  if (pool.topology.primary !== region) {
    throw invalidParameter(`The primary region of the pool is ${pool.topology.primary}.`)
  }
  if (formOf(await openPoolOf(context, pool)) !== 'sealed') {
    throw invalidParameter('The pool is not sealed yet: a region of it runs an older version.')
  }
  const newest = await keys.newest(pool.id)
  if (!newest.active) return newest
  if (!(await isReady(context, pool))) {
    throw invalidParameter('A region of the pool cannot be reached, or runs a version without rotation of data keys.')
  }
  await create(context, pool)
  return keys.newest(pool.id)
}

const isReady = (context: RotationContext, pool: Pool): Promise<boolean> =>
  isReadyEverywhere(context, pool, { kinds: NEWER_KEY_KINDS, ability: 'rotation' })

async function isDue(
  { store, clock }: RotationContext,
  pool: Pool,
  { newest, limits }: { newest: NewestDataKey; limits: RotationLimits },
): Promise<boolean> {
  const age = clock.now() - (newest.created ?? pool.document.created)
  if (age >= limits.afterDays * DAY_MILLISECONDS) return true
  const rows = await store.list('seal-count', {
    pool: pool.id,
    prefix: `${prefixOf(newest.number)}/`,
    limit: PAGE_COUNTS,
  })
  const seals = rows.reduce((sum, { body }) => sum + parseStored('seal-count', body).count, 0)
  return seals >= limits.afterSeals
}

async function create({ store, keys, events }: RotationContext, { id }: Pool): Promise<number | undefined> {
  const created = await keys.createNewer(id)
  if (!(await store.write((tx) => created.write(tx)))) return undefined
  events.noted('data-key-created', { pool: id, number: created.number })
  return created.number
}

/** Returns whether the data key seals now. */
async function activate(
  { store, keys, events, clock }: RotationContext,
  { id, replicas }: Pool,
  { number, created = 0 }: NewestDataKey,
): Promise<boolean> {
  if (clock.now() - created < SETTLE_MILLISECONDS) return false
  const address = { kind: 'newer-data-key', pool: id, key: prefixOf(number) } as const
  for (const { region } of replicas) {
    if (region !== store.region && !(await hasAcknowledged(store.db, region, address))) return false
  }
  if (await store.write((tx) => keys.activate(tx, id, number))) events.noted('data-key-active', { pool: id, number })
  return true
}

/**
 * Adds the seals of this process to the shared counts of its region, where there are at least `least`. Reports a failure, and keeps the
 * counts for the next call.
 */
export async function saveSealCounts(
  { store, pools, keys, region, events }: Pick<RotationContext, 'store' | 'pools' | 'keys' | 'region' | 'events'>,
  least: number,
): Promise<void> {
  const taken = keys.takeSealCounts(least)
  if (taken.length === 0) return
  try {
    await store.write(async (tx) => {
      // In one order in all processes of the region: each waits for the locks of the others.
      for (const { pool, number, count } of taken.toSorted((a, b) => (a.pool < b.pool ? -1 : 1))) {
        if (!(await pools.find(pool))) continue
        const address = { pool, key: `${prefixOf(number)}/${region}` }
        const present = await tx.lock('seal-count', address)
        const before = present ? parseStored('seal-count', present.body).count : 0
        await tx.share('seal-count', { ...address, body: JSON.stringify({ count: before + count }) })
      }
    })
  } catch (error) {
    keys.addSealCounts(taken)
    events.failed({ operation: 'save of the counts of seals', error, requestId: '' })
  }
}

/** The number of a data key in the keys of rows. */
const prefixOf = (number: number): string => String(number).padStart(5, '0')
