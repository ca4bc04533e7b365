import type { Clock } from '../clock.ts'
import { applyChanges, type Change, eraseRows, pipelineChanges } from '../store/apply.ts'
import {
  clearTombstones,
  clearTouched,
  findCopy,
  isFirstCopy,
  listCopies,
  noteTouched,
  putCopy,
  removeCopies,
  removeCopy,
} from '../store/copies.ts'
import { type Cursor, findCursor, kindsOf, moveCursor, putCursor } from '../store/cursors.ts'
import { type Connection, type Touched, type TransactionOptions, UnexpectedError } from '../store/database.ts'
import { isCached, isKind, type Kind, type KindOfScope, ONLY, scopeOf } from '../store/kinds.ts'
import { isFact, type Replica, type ReplicaStatus, versionAfter } from '../store/merge.ts'
import {
  gatherRoles,
  type PoolRoles,
  type RoleRow,
  readPoolRoles,
  readRoles,
  readRolesAndCursor,
  rolesMatch,
} from '../store/roles.ts'
import type { Store } from '../store/store.ts'
import { openTransaction, type Transaction } from '../store/write.ts'
import { findReplica, findTopology, parseReplica } from './documents.ts'
import { commonKinds, formatKinds, gainedKinds, type KnownKinds, kindsOfThisBuild, parseKinds } from './known-kinds.ts'
import {
  changeFromWire,
  type FeedBatch,
  type Hello,
  type Inventory,
  type MarkedPosition,
  placeAfter,
  type ResumePoint,
} from './messages.ts'
import { holdsPool, isReplica, listTopologies, replicaIn, sharesPool } from './roles.ts'
import { rewindTo, stagesOfKinds } from './stages.ts'

/** The cursor is not where the caller expects it: another process has applied the batches, or has restarted. */
export class CursorMovedError extends Error {
  constructor(peer: string) {
    super(`the cursor of ${peer} has moved`)
    this.name = 'CursorMovedError'
  }
}

export interface FollowerContext {
  store: Store
  clock: Pick<Clock, 'now' | 'uuid'>
  region: string
  /** The kinds that this region knows; tests set them to imitate another build. */
  known?: KnownKinds | undefined
  /** Whether the data key of a pool can be unwrapped here; undefined if there is none yet. Default: always. */
  opensPool?: ((pool: string) => Promise<boolean | undefined>) | undefined
}

/** A transaction that applies changes of another region. */
export interface ApplyTransaction {
  tx: Transaction
  connection: Connection
  touched: Touched[]
}

/** Runs the work in a transaction under the region's one apply lock, which serializes processes and peers. */
export function inApplyTransaction<T>(
  { store, clock, region }: FollowerContext,
  work: (transaction: ApplyTransaction) => Promise<T>,
  options?: TransactionOptions,
): Promise<T> {
  return store.transaction(async (connection, touched) => {
    await store.engine.lock(connection, ['replication'])
    const tx = await openTransaction({ engine: store.engine, clock, region }, connection, touched)
    return work({ tx, connection, touched })
  }, options)
}

/** Applies the logs of other regions. */
export interface Follower {
  findCursor(peer: string): Promise<Cursor | undefined>
  /** Where to resume in the log of a peer; undefined before the first contact. */
  findResumePoint(peer: string): Promise<ResumePoint | undefined>
  /**
   * Restarts at the position of the greeting: every pool of the inventory is copied again. Returns the kinds that are followed
   * from now on, as text (known-kinds.ts). Throws KindsConflictError.
   */
  restart(peer: string, at: Hello, inventory: Inventory['rows']): Promise<string>
  /**
   * Resumes at the position of the greeting, which must be the cursor's. Kinds that have become common since the peer was last
   * followed were skipped until now, so they are copied from the peer for every shared pool. Throws CursorMovedError,
   * KindsConflictError.
   */
  resume(peer: string, at: Hello): Promise<{ followed: string; gained: readonly string[] }>
  /**
   * Applies batches and moves the cursor past them, in one transaction. Throws CursorMovedError, with nothing done, unless the
   * cursor is at `from`, including its part (and its kinds are those of `from`, if given). `asOf` is null unless the batches reach the end of the
   * peer's log. Until `settle` has resolved, a crash may undo the batches together with the cursor.
   */
  apply(
    peer: string,
    from: Pick<Cursor, 'log' | 'position' | 'kinds' | 'part'>,
    batches: readonly FeedBatch[],
    asOf: number | null,
  ): Promise<void>
  /** Makes everything that was applied durable. Acknowledge a position only after this. */
  settle(): Promise<void>
}

export function createFollower(context: FollowerContext): Follower {
  const { store, clock, region, known = kindsOfThisBuild() } = context
  /** The roles in the pools that a peer sent recently, by peer and pool: most likely still current. */
  const recentRoles = new Map<string, Map<string, RoleRow[]>>()

  return {
    findCursor: (peer) => findCursor(store.db, peer),

    findResumePoint: async (peer) => {
      const cursor = await findCursor(store.db, peer)
      if (!cursor) return undefined
      let epoch = 0
      for await (const topology of listTopologies(store.db)) {
        if (topology.primary === peer) epoch = Math.max(epoch, topology.epoch)
      }
      const { log, position, mark, part } = cursor
      return { log, position, mark, ...(part && { part }), epoch, witness: await findWitness(store.db, cursor) }
    },

    restart: async (peer, { log, position, mark, kinds: peerKinds }, inventory) => {
      const kinds = formatKinds(commonKinds(known, parseKinds(peerKinds)))
      await inApplyTransaction(context, async (apply) => {
        const { connection, touched } = apply
        const present = await findCursor(connection, peer)
        await putCursor(connection, { peer, log, position, mark, asOf: present?.asOf ?? 0, kinds })
        for (const { pool, key, body } of inventory) {
          const replica = findReplica(body)
          if (!replica) continue
          const own = replica.region === region
          if (own || (await readPoolRoles(connection, pool)).topology) {
            await mergeReplica(apply, region, { pool, key, body })
          }
        }
        const pools = new Set(inventory.map(({ pool }) => pool))
        // A restored primary may not know this replica yet; the copy waits.
        for await (const topology of listTopologies(connection)) if (topology.primary === peer) pools.add(topology.pool)
        for (const pool of pools) {
          const previous = await findCopy(connection, { pool, peer })
          await removeCopy(connection, { pool, peer })
          const roles = await readPoolRoles(connection, pool)
          if (!holdsPool(roles, region)) continue
          const fromPrimary = roles.topology?.primary === peer
          const first = replicaIn(roles, region)?.status === 'CREATING' || (previous && isFirstCopy(previous))
          const asOf =
            (previous && !previous.kinds ? previous.asOf : present?.asOf) ?? (fromPrimary ? clock.now() : undefined)
          const witness = { position, mark }
          await beginCopy({ clock }, connection, { pool, peer, fromPrimary, asOf: first ? undefined : asOf, witness })
          touched.push({ kind: 'topology', pool, key: ONLY })
        }
      })
      return kinds
    },

    resume: async (peer, { log, position, part, kinds: peerKinds }) => {
      const common = commonKinds(known, parseKinds(peerKinds))
      const followed = formatKinds(common)
      const present = await findCursor(store.db, peer)
      if (present?.kinds === followed && present.part?.mark === part?.mark) return { followed, gained: [] }
      return inApplyTransaction(context, async ({ connection }) => {
        const cursor = await findCursor(connection, peer)
        const same = cursor?.log === log && cursor.position === position
        if (!same || (part && cursor.part?.mark !== part.mark)) throw new CursorMovedError(peer)
        const gained = gainedKinds(parseKinds(cursor.kinds), common).filter(isKind)
        // Without a part in the greeting, the transaction is sent again from its start.
        await putCursor(connection, { ...cursor, kinds: followed, part })
        await dropUnknownKinds(connection, peer)
        if (gained.length > 0) await copyGained({ clock, region }, connection, { cursor, gained })
        return { followed, gained }
      })
    },

    apply: async (peer, from, batches, asOf) => {
      const all = batches.flatMap(({ changes }) => changes)
      const pools = [...new Set(all.map(([, pool]) => pool))]
      const kindsInBatch = [...new Set(all.map(([kind]) => kind))]
      const relaxed = kindsInBatch.every(isRelaxed)
      const plain = relaxed && !kindsInBatch.some(isCached)
      const present = { peer, ...from }
      const place = placeAfter({ ...from, mark: undefined }, batches)
      const to = { peer, log: from.log, ...place, asOf: asOf ?? batches.at(-1)?.at }

      const attempt = (expected?: RoleRow[]): Promise<void> =>
        inApplyTransaction(
          context,
          async (apply) => {
            const { connection, touched } = apply
            const rows = expected ?? (await readLockedRoles(connection, present, pools))
            if (expected) await store.engine.expect(connection, rolesMatch(pools, expected, present))
            await moveCursor(connection, to)
            const rolesByPool = gatherRoles(pools, rows)
            const { changes, copying } = await accept({ peer, region, clock, rolesByPool }, apply, batches)
            if (copying.size === 0 && !changes.some(({ kind }) => isCached(kind))) {
              await pipelineChanges(connection, changes)
              if (plain && !expected) recentRoles.set(peer, byPool(rows))
              return
            }
            const applied = await applyChanges(connection, changes)
            await noteTouched(
              connection,
              applied.filter(({ pool }) => copying.has(pool)),
            )
            for (const { kind, pool, key } of applied) {
              if (isCached(kind)) touched.push({ kind, pool, key })
            }
          },
          { relaxed },
        )

      // Plain rows need no read if the roles are still as expected: then the complete transaction is sent as one message.
      const expected =
        plain && pools.length <= MAX_EXPECTED_POOLS ? pools.map((pool) => recentRoles.get(peer)?.get(pool)) : []
      if (expected.length > 0 && expected.every((rows) => rows !== undefined)) {
        try {
          return await attempt(expected.flat())
        } catch (error) {
          if (!(error instanceof UnexpectedError)) throw error
        }
      }
      await attempt()
    },

    settle: () => store.engine.flush(),
  }
}

/** The newest position of a peer's log that this region has seen, in the stream or in pages that run ahead of it. */
export async function findWitness(db: Connection, cursor: Cursor): Promise<MarkedPosition> {
  let { position, mark }: MarkedPosition = cursor
  for (const { peer, witness } of await listCopies(db)) {
    if (peer === cursor.peer && witness.position > position) ({ position, mark } = witness)
  }
  return { position, mark }
}

/** Begins a copy at its first step; replaces a copy in progress. */
export async function beginCopy(
  { clock }: { clock: Pick<Clock, 'now' | 'uuid'> },
  connection: Connection,
  {
    pool,
    peer,
    fromPrimary,
    asOf,
    witness,
  }: { pool: string; peer: string; fromPrimary: boolean; asOf?: number | undefined; witness: MarkedPosition },
): Promise<void> {
  if (fromPrimary) {
    await clearTouched(connection, pool)
    // Tombstones guard against changes older than the copy, and the copy itself removes what the primary does not have.
    await clearTombstones(connection, pool)
  }
  await putCopy(connection, {
    pool,
    peer,
    generation: clock.uuid(),
    stage: 'outline',
    after: undefined,
    done: 0,
    total: 0,
    swept: 0,
    started: clock.now(),
    asOf,
    target: undefined,
    witness,
  })
}

/**
 * Removes kinds that only a newer build of this region knows from copies of a peer. If the newer build returns, it gains them
 * again.
 */
async function dropUnknownKinds(connection: Connection, peer: string): Promise<void> {
  for (const copy of await listCopies(connection)) {
    if (copy.peer !== peer || !copy.kinds || copy.kinds.every(isKind)) continue
    const kinds = copy.kinds.filter(isKind)
    if (kinds.length === 0) await removeCopy(connection, copy)
    else await putCopy(connection, rewindTo({ ...copy, kinds }, kinds))
  }
}

/** Begins to copy gained kinds from a peer, for every shared pool. A copy already in progress goes back to include them. */
async function copyGained(
  { clock, region }: Pick<FollowerContext, 'region'> & { clock: Pick<Clock, 'now' | 'uuid'> },
  connection: Connection,
  { cursor, gained }: { cursor: Cursor; gained: readonly Kind[] },
): Promise<void> {
  const { peer, position, mark } = cursor
  const pools: string[] = []
  for await (const { pool } of listTopologies(connection)) pools.push(pool)
  for (const [pool, roles] of await readRoles(connection, pools)) {
    if (!holdsPool(roles, region) || !sharesPool(roles, peer)) continue
    const fromPrimary = roles.topology?.primary === peer
    const due = gained.filter((kind) => scopeOf(kind) === 'shared' || (fromPrimary && kind !== 'topology'))
    if (due.length === 0) continue
    const present = await findCopy(connection, { pool, peer })
    const generation = clock.uuid()
    if (present) await putCopy(connection, { ...rewindTo(present, due), generation })
    else {
      await putCopy(connection, {
        ...{ pool, peer, generation, after: undefined, done: 0, total: 0, swept: 0, started: clock.now() },
        ...{ stage: stagesOfKinds(due)[0] as string, kinds: due, asOf: undefined, target: undefined },
        witness: { position, mark },
      })
    }
  }
}

/** Above this number of pools, the roles of all of them are rarely known. */
const MAX_EXPECTED_POOLS = 8

/**
 * The rows that hold the roles in pools, read under the apply lock. Throws CursorMovedError unless the cursor is at the given
 * position.
 */
async function readLockedRoles(
  connection: Connection,
  { peer, log, position, kinds, part }: Pick<Cursor, 'peer' | 'log' | 'position' | 'kinds' | 'part'>,
  pools: readonly string[],
): Promise<RoleRow[]> {
  const { roles: rows, cursor } = await readRolesAndCursor(connection, pools, peer)
  const same = kinds === undefined || cursor?.kinds === kindsOf(log, kinds)
  if (cursor?.log !== log || cursor.position !== position || !same || cursor.part?.mark !== part?.mark)
    throw new CursorMovedError(peer)
  return rows
}

const byPool = (rows: RoleRow[]): Map<string, RoleRow[]> => Map.groupBy(rows, ({ pool }) => pool)

/**
 * Whether rows of a kind may be applied without waiting for the disk. Not shared facts, which enter this region's own log, and
 * not topologies, which name the primary: a crash must not lose them once another region or a client may have seen them.
 */
export const isRelaxed = (kind: string): boolean =>
  !isKind(kind) || (scopeOf(kind) === 'replicated' && kind !== 'topology')

interface Accepted {
  /** Replicated rows, to be applied by their stamps. */
  changes: Change[]
  /** Pools with a copy from this peer in progress. */
  copying: Set<string>
}

/**
 * Selects the changes that this region accepts from this peer. Shared facts are merged at once: they may change the roles for
 * later changes.
 */
async function accept(
  {
    peer,
    region,
    clock,
    rolesByPool,
  }: Pick<FollowerContext, 'region' | 'clock'> & { peer: string; rolesByPool: Map<string, PoolRoles> },
  apply: ApplyTransaction,
  batches: readonly FeedBatch[],
): Promise<Accepted> {
  const { tx, connection } = apply
  const accepted: Accepted = { changes: [], copying: new Set() }
  for (const [pool, { copiedFrom }] of rolesByPool) if (copiedFrom.includes(peer)) accepted.copying.add(pool)

  for (const batch of batches) {
    for (const wire of batch.changes) {
      const change = changeFromWire(wire)
      if (!change || scopeOf(change.kind) === 'regional') continue
      const { pool, kind, key, body } = change
      const roles = rolesByPool.get(pool) as PoolRoles
      if (scopeOf(kind) === 'shared') {
        if (body === null || !isFact(kind as KindOfScope<'shared'>, body)) continue
        const namesThisRegion = kind === 'replica' && parseReplica(body).region === region
        const isKept = kind === 'replica' ? roles.topology !== undefined : holdsPool(roles, region)
        if (!namesThisRegion && !isKept) continue
        if (kind !== 'replica') await tx.share(kind as KindOfScope<'shared'>, { pool, key, body })
        else Object.assign(roles, await mergeReplica(apply, region, { pool, key, body }))
        continue
      }
      if (!holdsPool(roles, region)) continue
      const fromPrimary = roles.topology?.primary === peer
      if (kind === 'topology') {
        if (body === null) {
          // The pool was deleted, and its replica goes with it.
          const own = replicaIn(roles, region)
          if (fromPrimary && own) await shareStatus(tx, pool, { replica: own, status: 'DELETING' })
          roles.replicas = (await readPoolRoles(connection, pool)).replicas
          continue
        }
        const topology = findTopology(body)
        if (!topology) continue
        const epoch = roles.topology?.epoch ?? 0
        const isAuthoritative = fromPrimary
          ? topology.epoch >= epoch
          : topology.primary === peer && topology.epoch > epoch
        if (!isAuthoritative) continue
        if (!fromPrimary && isReplica(roles, region)) {
          // The new primary may have other rows than the old one.
          const { position, mark } = batch
          await copyFromNewPrimary({ clock }, connection, { pool, peer, roles, witness: { position, mark } })
          accepted.copying.add(pool)
        }
        roles.topology = topology
      } else if (!fromPrimary) continue
      accepted.changes.push(change)
    }
  }
  return accepted
}

async function copyFromNewPrimary(
  context: Pick<FollowerContext, 'clock'>,
  connection: Connection,
  { pool, peer, roles, witness }: { pool: string; peer: string; roles: PoolRoles; witness: MarkedPosition },
): Promise<void> {
  const previous = await findCopy(connection, { pool, peer: roles.topology?.primary ?? '' })
  const first = previous !== undefined && isFirstCopy(previous)
  const asOf = first ? undefined : (previous?.asOf ?? (await findCursor(connection, peer))?.asOf ?? context.clock.now())
  await removeCopies(connection, pool)
  await beginCopy(context, connection, { pool, peer, fromPrimary: true, asOf, witness })
}

/** Changes the status of a replica. The version rises, so the new status wins in every region. */
export async function shareStatus(
  tx: Transaction,
  pool: string,
  { replica, status }: { replica: Replica; status: ReplicaStatus },
): Promise<void> {
  const body: Replica = { ...replica, status, version: versionAfter(replica, status) }
  const rows = await tx.list('replica', { pool, limit: 100 })
  const key = rows.find((row) => parseReplica(row.body).region === replica.region)?.key ?? replica.region
  await tx.share('replica', { pool, key, body: JSON.stringify(body) })
}

/**
 * Merges a `replica` row of another region. Returns the roles after it. If it ends a deletion of this region's replica because the
 * replica was created again, rows of the previous one may be left, and changes were skipped since the deletion began: without the
 * topology row, this region holds nothing, and makes a first copy.
 */
async function mergeReplica(
  { tx, connection, touched }: ApplyTransaction,
  region: string,
  row: { pool: string; key: string; body: string },
): Promise<PoolRoles> {
  const { pool } = row
  const before = replicaIn(await readPoolRoles(connection, pool), region)?.status
  await tx.share('replica', row)
  const roles = await readPoolRoles(connection, pool)
  const wasDeleted = before === 'DELETING' || before === 'DELETED'
  const isLeft = wasDeleted && roles.topology !== undefined && roles.topology.primary !== region
  if (!isLeft || !isReplica(roles, region)) return roles
  await eraseRows(connection, 'topology', { pool, limit: 1 })
  await removeCopies(connection, pool)
  touched.push({ kind: 'topology', pool, key: ONLY })
  return { ...roles, topology: undefined, copiedFrom: [] }
}
